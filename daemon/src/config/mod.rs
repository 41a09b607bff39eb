//! Config files: TOML, checked whole before anything starts.
//!
//! Where a config takes secrets is said beside it, as a list of keys; [`load`] finds them in the config, in files or in the
//! environment, and refuses those that others on the machine can read.

mod fault;
#[cfg(feature = "fuzz")]
mod fuzz;
mod secrets;
mod surroundings;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde::de::DeserializeOwned;
use toml::de::{DeTable, Deserializer};

pub use fault::Fault;
use secrets::Search;
pub use secrets::{Given, Origin, Place, SecretError};
pub use surroundings::{Access, FileError, Found, Identity, Others, Surroundings};

/// A config, and what there is to say about where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded<T> {
    pub config: T,
    /// The file it was read from, if there is one.
    pub origin: Option<Origin>,
    /// Where its secrets were.
    pub secrets: Vec<Given>,
    /// What does no harm now and may do some, a sentence each.
    pub warnings: Vec<String>,
}

/// Why a config could not be used, in one sentence. The caller says which file it is about.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("it is no UTF-8 text")]
    NoText,
    /// A disk that was full left nothing of it; to take that for "all as by default" could open what was shut.
    #[error("it has become empty: what it said before goes on until the next start, which takes the defaults")]
    Emptied,
    #[error("{0}")]
    Invalid(Fault),
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// Reads a whole config; without a path, what holds by default. `secrets` are the keys at which it takes some, as in
/// `turn.shared_secret` or, in every entry of a list, `ice.servers.*.credential`.
pub fn load<T: DeserializeOwned>(
    path: Option<&Path>,
    secrets: &[&str],
    surroundings: &Surroundings,
) -> Result<Loaded<T>, LoadError> {
    let (origin, text) = match path {
        None => (None, String::new()),
        Some(path) => {
            let Found { bytes, access } = (surroundings.read)(path)?;
            let text = String::from_utf8(bytes).map_err(|_| LoadError::NoText)?;
            (Some(Origin { path: path.to_owned(), access, empty: text.trim().is_empty() }), text)
        }
    };
    let invalid = |error: &toml::de::Error, given: &[Given]| LoadError::Invalid(Fault::new(&text, error, given));
    let mut root = DeTable::parse(&text).map_err(|error| invalid(&error, &[]))?;
    let mut search = Search::new(surroundings, origin.as_ref(), text.len());
    for pattern in secrets {
        search.find(root.get_mut(), pattern)?;
    }
    let (given, useless) = search.finish();
    let config = T::deserialize(Deserializer::from(root)).map_err(|error| invalid(&error, &given))?;
    let warnings = warnings(origin.as_ref(), &useless);
    Ok(Loaded { config, origin, secrets: given, warnings })
}

impl<T> Loaded<T> {
    /// The config, to take the place of one that is in use.
    pub fn replacing(self) -> Result<T, LoadError> {
        if self.origin.is_some_and(|origin| origin.empty) { Err(LoadError::Emptied) } else { Ok(self.config) }
    }
}

fn warnings(origin: Option<&Origin>, useless: &[String]) -> Vec<String> {
    let changeable = origin.filter(|origin| origin.access.mode & 0o002 != 0).map(|Origin { path, access, .. }| {
        let (path, mode) = (path.display(), access.mode);
        format!("everybody on this machine can change {path} (mode {mode:04o}): chmod o-w {path}")
    });
    let useless = (!useless.is_empty()).then(|| {
        let names = useless.join(", ");
        format!("no secret of this config is given by what the environment has as {names}: see how it is spelt")
    });
    changeable.into_iter().chain(useless).collect()
}
