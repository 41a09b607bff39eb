//! A certificate and its key, which belong together.

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use protocol::Fingerprint;
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) certified: Arc<CertifiedKey>,
    pub(super) fingerprint: Fingerprint,
    pub(super) begins: SystemTime,
    pub(super) ends: SystemTime,
    /// What it is for, in lower case.
    pub(super) names: Vec<String>,
}

/// Each says which key of the config it is about, and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PairError {
    #[error("tls.{key} is {}, which cannot be read: does it exist, and may the server read it?", path.display())]
    Unreadable {
        key: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("tls.key is {}, which everybody on this machine may read: chmod o-rwx it, and get a new key if others could", path.display())]
    KeyIsPublic { path: PathBuf },
    #[error("tls.certificate is {}, which has no certificate in it: it must be PEM, with the server's own certificate first", path.display())]
    NoCertificate { path: PathBuf },
    #[error("tls.key is {}, which has no private key in it that can be used: it must be PEM, ECDSA, RSA or Ed25519", path.display())]
    NoKey { path: PathBuf },
    #[error("tls.key is {}, which is not the key of tls.certificate, {}: name two that belong together", key.display(), certificate.display())]
    Strangers { certificate: PathBuf, key: PathBuf },
}

/// What is wrong with two texts, without where they come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    NoCertificate,
    NoKey,
    Strangers,
}

impl Pair {
    /// Of two texts in PEM, which may be the same one.
    pub(super) fn parse(certificate: &[u8], key: &[u8]) -> Result<Self, Flaw> {
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(certificate).collect::<Result<_, _>>().map_err(|_| Flaw::NoCertificate)?;
        let own = chain.first().ok_or(Flaw::NoCertificate)?;
        let (_, parsed) = X509Certificate::from_der(own).map_err(|_| Flaw::NoCertificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| Flaw::NoKey)?;
        let key = rustls::crypto::ring::sign::any_supported_type(&key).map_err(|_| Flaw::NoKey)?;
        let fingerprint = fingerprint(own);
        let (begins, ends) =
            (time(parsed.validity().not_before.timestamp()), time(parsed.validity().not_after.timestamp()));
        let alternatives = parsed.subject_alternative_name().ok().flatten();
        let named = alternatives.iter().flat_map(|names| &names.value.general_names);
        let names = named.filter_map(|name| {
            if let GeneralName::DNSName(name) = name { Some(name.to_ascii_lowercase()) } else { None }
        });
        let names = names.collect();
        let certified = CertifiedKey::new(chain, key);
        certified.keys_match().map_err(|_| Flaw::Strangers)?;
        Ok(Self { certified: Arc::new(certified), fingerprint, begins, ends, names })
    }

    /// As people write it.
    pub(super) fn expires(&self) -> String {
        humantime::format_rfc3339_seconds(self.ends).to_string()
    }
}

pub(super) fn fingerprint(certificate: &CertificateDer<'_>) -> Fingerprint {
    let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
    Fingerprint::new(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

/// Of seconds since 1970, which certificates may have below zero.
fn time(timestamp: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(timestamp).unwrap_or(0))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A certificate and its key, in PEM.
    pub(in crate::tls) fn made(name: &str) -> (String, String) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn only_what_belongs_together_is_a_pair() {
        let (certificate, key) = made("Video.Example.org");
        let (_, another) = made("video.example.org");
        let pair = Pair::parse(certificate.as_bytes(), key.as_bytes()).expect("a pair");
        assert_eq!(pair.names, ["video.example.org"]);
        let both = format!("{key}{certificate}");
        assert_eq!(Pair::parse(both.as_bytes(), both.as_bytes()).expect("a pair").fingerprint, pair.fingerprint);
        let flaw =
            |certificate: &str, key: &str| Pair::parse(certificate.as_bytes(), key.as_bytes()).expect_err("flawed");
        assert_eq!(flaw(&certificate, &another), Flaw::Strangers);
        assert_eq!(flaw(&certificate, ""), Flaw::NoKey);
        assert_eq!(flaw(&certificate, &certificate), Flaw::NoKey);
        assert_eq!(flaw("", &key), Flaw::NoCertificate);
        assert_eq!(flaw(&key, &key), Flaw::NoCertificate);
        let cut = &certificate[..certificate.len() / 2];
        assert_eq!(flaw(cut, &key), Flaw::NoCertificate);
        let garbled = certificate.replace("MII", "AAA");
        assert_eq!(flaw(&garbled, &key), Flaw::NoCertificate);
    }
}
