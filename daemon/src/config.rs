//! Config files: TOML, checked whole before anything starts.

use std::{fs, io, path::Path};

use serde::de::DeserializeOwned;

/// Why a config file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("it cannot be read")]
    Unreadable(#[source] io::Error),
    /// Names the line and the key, and which keys there are.
    #[error(transparent)]
    Invalid(#[from] toml::de::Error),
}

/// Reads a whole config. The caller adds the path as context.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T, LoadError> {
    let text = fs::read_to_string(path).map_err(LoadError::Unreadable)?;
    Ok(toml::from_str(&text)?)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only its name matters here")]
        listen: String,
    }

    #[test]
    fn a_wrong_key_is_named_with_its_line() {
        let error = toml::from_str::<Sample>("listen = \"x\"\n\nlisten_prot = 3\n").expect_err("refused").to_string();
        assert!(error.contains("line 3") && error.contains("listen_prot") && error.contains("listen"), "{error}");
    }
}
