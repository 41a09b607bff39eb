//! How connections are encrypted, and who vouches for the server.

use std::{net::SocketAddr, path::PathBuf};

use axum::http::Uri;
use rustls::pki_types::DnsName;
use serde::Deserialize;

use super::changes::{Comparison, Effect};

/// `[tls]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Tls {
    pub mode: TlsMode,
    /// Where those who ask without encryption are sent on to where it is.
    pub redirect_from: Option<SocketAddr>,
}

impl Tls {
    pub(super) fn compare(&self, new: &Self, keys: &mut Comparison) {
        let Self { mode, redirect_from } = self;
        keys.unsaid("tls.mode", Effect::NextStart, mode, &new.mode);
        keys.unsaid("tls.redirect_from", Effect::NextStart, redirect_from, &new.redirect_from);
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    #[default]
    Off,
    /// Somebody else gets certificates, and renews them.
    Files { certificate: PathBuf, key: PathBuf },
    /// An authority gives certificates for names that lead here (RFC 8555).
    Acme(Acme),
    /// Nobody vouches for it: robots know it by its fingerprint, and people are warned.
    SelfSigned { names: Vec<String> },
}

impl TlsMode {
    /// Whether an authority vouches for the certificate, as far as that is to be expected: clients take it without asking anybody.
    pub(crate) fn is_vouched_for(&self) -> bool {
        match self {
            Self::Files { .. } | Self::Acme(_) => true,
            Self::Off | Self::SelfSigned { .. } => false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acme {
    pub names: Vec<String>,
    pub contact: Option<String>,
    pub directory: String,
    /// Who vouches for the authority itself, where it is a private one.
    pub directory_ca: Option<PathBuf>,
}

const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Name {
    #[default]
    Off,
    Files,
    Acme,
    SelfSigned,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Fields {
    mode: Name,
    redirect_from: Option<SocketAddr>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    names: Option<Vec<String>>,
    contact: Option<String>,
    directory: Option<String>,
    directory_ca: Option<PathBuf>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsFieldsError {
    #[error("{key} is missing, which mode = {mode:?} needs: add it, as in {key} = {example}")]
    Missing { key: &'static str, mode: &'static str, example: &'static str },
    #[error("{key} means nothing to mode = {mode:?}: remove it, or choose another mode")]
    Foreign { key: &'static str, mode: &'static str },
    #[error(
        "names has {0:?}, which is no name that an authority gives certificates for: take one as in \"video.example.org\""
    )]
    Name(String),
    #[error("directory is {0:?}, but must be an address that starts with https://")]
    Directory(String),
}

impl Name {
    fn text(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Files => "files",
            Self::Acme => "acme",
            Self::SelfSigned => "self_signed",
        }
    }
}

impl TryFrom<Fields> for Tls {
    type Error = TlsFieldsError;

    fn try_from(mut fields: Fields) -> Result<Self, TlsFieldsError> {
        let name = fields.mode;
        let missing = |key, example| TlsFieldsError::Missing { key, mode: name.text(), example };
        let mode = match name {
            Name::Off => TlsMode::Off,
            Name::Files => {
                let needs = |path: Option<PathBuf>, key, example| path.ok_or_else(|| missing(key, example));
                let certificate = fields.certificate.take();
                TlsMode::Files {
                    certificate: needs(certificate, "certificate", "\"/etc/panocast/fullchain.pem\"")?,
                    key: needs(fields.key.take(), "key", "\"/etc/panocast/privkey.pem\"")?,
                }
            }
            Name::Acme => {
                let names = fields.names.take().filter(|names| !names.is_empty());
                let names = names.ok_or_else(|| missing("names", "[\"video.example.org\"]"))?;
                // Wildcards cannot be shown to be ours by answering at their address.
                let is_name = |name: &str| DnsName::try_from(name).is_ok() && name.contains('.');
                if let Some(bad) = names.iter().find(|name| !is_name(name) || name.parse::<std::net::IpAddr>().is_ok())
                {
                    return Err(TlsFieldsError::Name(bad.clone()));
                }
                let directory = fields.directory.take().unwrap_or_else(|| LETS_ENCRYPT.to_owned());
                let host = |uri: &Uri| uri.host().is_some_and(|host| !host.is_empty());
                if !directory.starts_with("https://") || !directory.parse().as_ref().is_ok_and(host) {
                    return Err(TlsFieldsError::Directory(directory));
                }
                let (contact, directory_ca) = (fields.contact.take(), fields.directory_ca.take());
                TlsMode::Acme(Acme { names, contact, directory, directory_ca })
            }
            Name::SelfSigned => TlsMode::SelfSigned { names: fields.names.take().unwrap_or_default() },
        };
        match fields.left() {
            Some(key) => Err(TlsFieldsError::Foreign { key, mode: name.text() }),
            None => Ok(Self { mode, redirect_from: fields.redirect_from }),
        }
    }
}

impl Fields {
    /// A key that the mode has not taken.
    fn left(&self) -> Option<&'static str> {
        let Self { mode: _, redirect_from: _, certificate, key, names, contact, directory, directory_ca } = self;
        let left = [
            ("certificate", certificate.is_some()),
            ("key", key.is_some()),
            ("names", names.is_some()),
            ("contact", contact.is_some()),
            ("directory", directory.is_some()),
            ("directory_ca", directory_ca.is_some()),
        ];
        left.into_iter().find(|(_, is_left)| *is_left).map(|(key, _)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Tls, String> {
        toml::from_str(text).map_err(|error: toml::de::Error| error.to_string())
    }

    #[test]
    fn each_mode_has_its_keys_and_says_so() {
        assert_eq!(parse("").expect("valid").mode, TlsMode::Off);
        let files = parse("mode = \"files\"\ncertificate = \"c\"\nkey = \"k\"").expect("valid").mode;
        assert_eq!(files, TlsMode::Files { certificate: "c".into(), key: "k".into() });
        let acme = parse("mode = \"acme\"\nnames = [\"video.example.org\"]").expect("valid").mode;
        assert!(matches!(acme, TlsMode::Acme(Acme { directory, .. }) if directory == LETS_ENCRYPT));
        let own = parse("mode = \"self_signed\"").expect("valid").mode;
        assert_eq!(own, TlsMode::SelfSigned { names: Vec::new() });
        for (bad, says) in [
            ("mode = \"files\"\nkey = \"k\"", "certificate is missing, which mode = \"files\" needs"),
            ("mode = \"files\"\ncertificate = \"c\"", "key is missing"),
            ("mode = \"acme\"", "names is missing"),
            ("mode = \"acme\"\nnames = [\"192.0.2.1\"]", "\"192.0.2.1\", which is no name"),
            ("mode = \"acme\"\nnames = [\"*.example.org\"]", "\"*.example.org\", which is no name"),
            ("mode = \"acme\"\nnames = [\"a.example\"]\ndirectory = \"http://ca\"", "must be an address that starts"),
            ("certificate = \"c\"", "certificate means nothing to mode = \"off\""),
            ("mode = \"self_signed\"\ncontact = \"a@b\"", "contact means nothing to mode = \"self_signed\""),
            ("mode = \"selfsigned\"", "self_signed"),
            ("mod = \"off\"", "mode"),
        ] {
            let error = parse(bad).expect_err("refused");
            assert!(error.contains(says), "{bad}: {error}");
        }
    }
}
