//! Where a config's secrets come from: the config, a file that it names, or the environment. One of them each.
//!
//! `turn.shared_secret` is `shared_secret = "…"` or `shared_secret_file = "/path"` in `[turn]`, or the environment's
//! `PANOCAST_TURN_SHARED_SECRET`. Found ones are put where the config would have them, so that whoever reads the config sees
//! no difference.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
};

use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use super::surroundings::{Access, CREDENTIALS, FileError, Others, PREFIX, Surroundings};

/// Longer than any secret that people or programs make up.
const MAX_SECRET: usize = 4096;

/// A secret that was found, and where; not what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// As in `turn.shared_secret`; entries of lists are counted from one, as in `ice.servers.1.credential`.
    pub key: String,
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Config,
    File { path: PathBuf, mode: u32 },
    Variable(String),
}

/// Why a secret could not be had. Says where it should have come from, and never what it is.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("{key} is given more than once, by {places}: keep one of them")]
    Again { key: String, places: String },
    #[error("{key} is a secret, and {path} {others} (mode {mode:04o}): chmod {} {path}", others.advice())]
    Exposed { key: String, path: String, mode: u32, others: Others },
    #[error("{key} is no text: put it in quotes")]
    NoText { key: String },
    #[error("{key}_file is {value:?}, but %d is the folder of a service's credentials, and systemd named none here")]
    NoCredentials { key: String, value: String },
    #[error("{key}_file is {path:?}")]
    File { key: String, path: PathBuf, source: FileError },
    #[error("{key} {place} is empty: give it the secret, or take it away")]
    Empty { key: String, place: Place },
    #[error("{key} {place} is longer than {MAX_SECRET} bytes")]
    TooLong { key: String, place: Place },
    #[error("{key} {place} is no single line of UTF-8 text")]
    NoLine { key: String, place: Place },
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config => formatter.write_str("in the config"),
            Self::File { path, mode } => write!(formatter, "from {} (mode {mode:04o})", path.display()),
            Self::Variable(name) => write!(formatter, "from the environment's {name}"),
        }
    }
}

/// The config's own file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub path: PathBuf,
    pub access: Access,
    /// It says nothing at all.
    pub empty: bool,
}

/// Finds the secrets of one config.
pub(super) struct Search<'a> {
    surroundings: &'a Surroundings,
    origin: Option<&'a Origin>,
    /// Where the config's text ends: what comes from elsewhere is said to stand behind it.
    end: usize,
    given: Vec<Given>,
    /// The variables that would have been taken.
    variables: BTreeSet<String>,
}

impl<'a> Search<'a> {
    pub(super) fn new(surroundings: &'a Surroundings, origin: Option<&'a Origin>, end: usize) -> Self {
        Self { surroundings, origin, end, given: Vec::new(), variables: BTreeSet::new() }
    }

    /// Finds those that `pattern` names, as in `turn.shared_secret` or `ice.servers.*.credential`.
    pub(super) fn find(&mut self, root: &mut DeTable<'_>, pattern: &str) -> Result<(), SecretError> {
        let names: Vec<&str> = pattern.split('.').collect();
        self.descend(root, &mut Vec::new(), &names)
    }

    /// What was found, and which of our variables are of no use here.
    pub(super) fn finish(self) -> (Vec<Given>, Vec<String>) {
        let ours = self.surroundings.variables.keys().filter(|name| name.starts_with(PREFIX));
        let useless = ours.filter(|name| !self.variables.contains(*name)).cloned().collect();
        (self.given, useless)
    }

    fn descend(&mut self, table: &mut DeTable<'_>, path: &mut Vec<String>, names: &[&str]) -> Result<(), SecretError> {
        match names {
            [] => Ok(()),
            [key] => self.settle(table, path, key),
            [list, "*", rest @ ..] => {
                // Whatever else stands there is refused by whoever reads the config.
                let Some(DeValue::Array(entries)) = table.get_mut(*list).map(Spanned::get_mut) else { return Ok(()) };
                for (index, entry) in entries.iter_mut().enumerate() {
                    if let DeValue::Table(entry) = entry.get_mut() {
                        path.extend([(*list).to_owned(), (index + 1).to_string()]);
                        self.descend(entry, path, rest)?;
                        path.truncate(path.len() - 2);
                    }
                }
                Ok(())
            }
            [section, rest @ ..] => {
                path.push((*section).to_owned());
                match table.get_mut(*section).map(Spanned::get_mut) {
                    Some(DeValue::Table(section)) => self.descend(section, path, rest)?,
                    Some(_) => {}
                    None => {
                        let mut fresh = DeTable::new();
                        self.descend(&mut fresh, path, rest)?;
                        if !fresh.is_empty() {
                            let (name, section) = (Cow::Owned((*section).to_owned()), DeValue::Table(fresh));
                            let span = self.end..self.end;
                            table.insert(Spanned::new(span.clone(), name), Spanned::new(span, section));
                        }
                    }
                }
                path.pop();
                Ok(())
            }
        }
    }

    /// Puts the secret where the config would have it.
    fn settle(&mut self, table: &mut DeTable<'_>, path: &[String], name: &str) -> Result<(), SecretError> {
        let key = path.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(".");
        let variable = PREFIX.to_owned() + &key.replace('.', "_").to_uppercase();
        self.variables.insert(variable.clone());
        let file = table.remove(format!("{name}_file").as_str());
        let value = self.surroundings.variables.get(&variable);

        let places: Vec<String> = [
            table.contains_key(name).then(|| format!("{name} in the config")),
            file.is_some().then(|| format!("{name}_file in the config")),
            value.is_some().then(|| format!("{variable} in the environment")),
        ]
        .into_iter()
        .flatten()
        .collect();
        if places.len() > 1 {
            return Err(SecretError::Again { key, places: places.join(" and by ") });
        }

        if let Some(inline) = table.get(name) {
            let DeValue::String(text) = inline.get_ref() else { return Err(SecretError::NoText { key }) };
            if let Some(origin) = self.origin {
                self.guard(&key, &origin.path, origin.access)?;
            }
            check(&key, &Place::Config, text)?;
            self.given.push(Given { key, place: Place::Config });
            return Ok(());
        }
        let (place, bytes) = if let Some(file) = file {
            let DeValue::String(file) = file.get_ref() else {
                return Err(SecretError::NoText { key: format!("{key}_file") });
            };
            self.read(&key, file)?
        } else if let Some(value) = value {
            (Place::Variable(variable), value.as_encoded_bytes().to_vec())
        } else {
            return Ok(());
        };
        let Ok(text) = String::from_utf8(bytes) else { return Err(SecretError::NoLine { key, place }) };
        let text = text.trim_end_matches(['\n', '\r']).to_owned();
        check(&key, &place, &text)?;
        let mark = self.mark();
        let value = Spanned::new(mark.clone(), DeValue::String(DeString::Owned(text)));
        table.insert(Spanned::new(mark, Cow::Owned(name.to_owned())), value);
        self.given.push(Given { key, place });
        Ok(())
    }

    fn read(&self, key: &str, named: &str) -> Result<(Place, Vec<u8>), SecretError> {
        let path = self.locate(key, named)?;
        match (self.surroundings.read)(&path) {
            Ok(found) => {
                self.guard(key, &path, found.access)?;
                Ok((Place::File { path, mode: found.access.mode }, found.bytes))
            }
            Err(source) => Err(SecretError::File { key: key.to_owned(), path, source }),
        }
    }

    /// Relative paths begin where the config lies, and `%d/` where systemd put the service's credentials.
    fn locate(&self, key: &str, named: &str) -> Result<PathBuf, SecretError> {
        if let Some(credential) = named.strip_prefix("%d/") {
            let folder = self.surroundings.variables.get(CREDENTIALS).filter(|folder| !folder.is_empty());
            let missing = || SecretError::NoCredentials { key: key.to_owned(), value: named.to_owned() };
            return Ok(Path::new(folder.ok_or_else(missing)?).join(credential));
        }
        let folder = self.origin.and_then(|origin| origin.path.parent());
        Ok(folder.map_or_else(|| PathBuf::from(named), |folder| folder.join(named)))
    }

    fn guard(&self, key: &str, path: &Path, access: Access) -> Result<(), SecretError> {
        match access.others(&self.surroundings.reader) {
            None => Ok(()),
            Some(others) => Err(SecretError::Exposed {
                key: key.to_owned(),
                path: path.display().to_string(),
                mode: access.mode,
                others,
            }),
        }
    }

    /// Where the secret that is about to be found is said to stand; [`at`] finds it there.
    fn mark(&self) -> std::ops::Range<usize> {
        let start = self.end + 1 + self.given.len();
        start..start
    }
}

/// The secret that is said to stand there, behind the `end` of the config's text.
pub(super) fn at(offset: usize, end: usize, given: &[Given]) -> Option<&Given> {
    given.get(offset.checked_sub(end + 1)?)
}

fn check(key: &str, place: &Place, text: &str) -> Result<(), SecretError> {
    let (key, place) = (key.to_owned(), place.clone());
    if text.is_empty() {
        Err(SecretError::Empty { key, place })
    } else if text.len() > MAX_SECRET {
        Err(SecretError::TooLong { key, place })
    } else if text.contains(char::is_control) {
        Err(SecretError::NoLine { key, place })
    } else {
        Ok(())
    }
}
