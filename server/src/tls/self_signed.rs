//! A certificate that nobody vouches for, made once.

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};

use super::{TlsError, pair::Pair, store::Store};

const FILE: &str = "self-signed.pem";

/// The one that was made before, so that robots know it again.
pub(super) fn load(store: &Store) -> Result<Option<Pair>, TlsError> {
    store.read_pair(FILE)
}

/// `names` are those of a new one, besides this machine's own.
pub(super) fn load_or_make(store: Store, names: &[String]) -> Result<Pair, TlsError> {
    if let Some(pair) = load(&store)? {
        return Ok(pair);
    }
    let pem = make(names)?;
    store.write(FILE, pem.as_bytes()).map_err(|source| store.failed(FILE, "written", source))?;
    tracing::info!("a certificate was made");
    Ok(Pair::parse(pem.as_bytes(), pem.as_bytes()).expect("what was just made is a pair"))
}

/// In PEM, with its key.
fn make(names: &[String]) -> Result<String, TlsError> {
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let mut all = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    // What is no name for a certificate is none for a browser's address bar either.
    if CertificateParams::new([machine.clone()]).is_ok() && !machine.is_empty() {
        all.extend([format!("{machine}.local"), machine]);
    }
    all.extend(names.iter().cloned());
    let mut params = CertificateParams::new(all)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Panocast");
    params.not_before = date_time_ymd(2020, 1, 1);
    // RFC 5280's way to say that it does not expire: robots know it by its fingerprint, which would expire with it.
    params.not_after = date_time_ymd(9999, 12, 31);
    let key = KeyPair::generate()?;
    Ok(format!("{}{}", params.self_signed(&key)?.pem(), key.serialize_pem()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::store::tests::Folder;

    #[test]
    fn a_certificate_is_made_once_and_kept() {
        let folder = Folder::new();
        let store = || Store::new(folder.path("tls"));
        assert!(load(&store()).expect("readable").is_none());
        let made = load_or_make(store(), &["robots.example".to_owned()]).expect("made");
        for name in ["localhost", "robots.example"] {
            assert!(made.names.iter().any(|known| known == name), "{:?}", made.names);
        }
        let kept = load_or_make(store(), &[]).expect("kept");
        assert_eq!(kept.fingerprint, made.fingerprint);
        assert_eq!(load(&store()).expect("readable").expect("there").fingerprint, made.fingerprint);
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_named() {
        // Nobody can write below a file.
        let error = load_or_make(Store::new("/proc/self/stat/tls".into()), &[]).expect_err("refused").to_string();
        assert!(error.contains("/proc/self/stat/tls: state_dir must be") && error.contains(FILE), "{error}");
        let folder = Folder::new();
        std::fs::write(folder.path(FILE), "hello").expect("written");
        let error = load(&Store::new(folder.path(""))).expect_err("refused").to_string();
        assert!(error.contains("cannot be understood"), "{error}");
    }
}
