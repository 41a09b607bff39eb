//! What is wrong with a config's text, in one sentence.
//!
//! The line itself is not repeated: it may hold a secret, under a name that is none for want of a letter.

use std::{fmt, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::secrets::{self, Given};

/// Names the line, the key, and the value if it is one to show.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    place: Option<String>,
    message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(formatter, "{place}: {}", self.message),
            None => formatter.write_str(&self.message),
        }
    }
}

impl Fault {
    pub(super) fn new(text: &str, error: &toml::de::Error, given: &[Given]) -> Self {
        let message = error.message().trim().replace('\n', " ");
        let Some(Range { start, .. }) = error.span() else { return Self { place: None, message } };
        if let Some(Given { key, place }) = secrets::at(start, text.len(), given) {
            return Self { place: Some(format!("{key} {place}")), message };
        }
        let line = 1 + text.bytes().take(start).filter(|byte| *byte == b'\n').count();
        let place = match DeTable::parse(text).ok().and_then(|root| culprit(&root, start)) {
            None => format!("line {line}"),
            Some(Culprit { key, value: Some(value) })
                if !message.contains(value.as_str()) && given.iter().all(|secret| secret.key != key) =>
            {
                format!("line {line}: {key} is {value:?}")
            }
            Some(Culprit { key, .. }) => format!("line {line}: {key}"),
        };
        Self { place: Some(place), message }
    }
}

/// What stands at some place of the text.
struct Culprit {
    key: String,
    /// Of texts: the messages name other values themselves.
    value: Option<String>,
}

fn culprit(root: &Spanned<DeTable<'_>>, offset: usize) -> Option<Culprit> {
    let mut path = Vec::new();
    let value = in_table(root.get_ref(), offset, &mut path)?;
    Some(Culprit { key: path.join("."), value })
}

/// Appends the path to what stands there; a text of which its value does.
fn in_table(table: &DeTable<'_>, offset: usize, path: &mut Vec<String>) -> Option<Option<String>> {
    table.iter().find_map(|(key, value)| {
        path.push(key.get_ref().to_string());
        let found = in_value(value, offset, path).or_else(|| key.span().contains(&offset).then_some(None));
        if found.is_none() {
            path.pop();
        }
        found
    })
}

fn in_value(value: &Spanned<DeValue<'_>>, offset: usize, path: &mut Vec<String>) -> Option<Option<String>> {
    let here = || value.span().contains(&offset).then_some(None);
    match value.get_ref() {
        DeValue::Table(table) => in_table(table, offset, path).or_else(here),
        DeValue::Array(entries) => {
            let found = entries.iter().enumerate().find_map(|(index, entry)| {
                path.push((index + 1).to_string());
                let found = in_value(entry, offset, path);
                if found.is_none() {
                    path.pop();
                }
                found
            });
            found.or_else(here)
        }
        DeValue::String(text) => here().map(|_| Some(text.to_string())),
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => here(),
    }
}
