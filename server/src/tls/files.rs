//! A certificate and its key in files that somebody else renews.

use std::{
    convert::Infallible,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{
    certificates::Certificates,
    pair::{Flaw, Pair, PairError},
};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What others may do with a file.
const OTHERS: u32 = 0o007;

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

/// Of both files, as far as they are there.
type Stamps = [Option<Stamp>; 2];

#[derive(Debug)]
pub(super) struct Files {
    certificate: PathBuf,
    key: PathBuf,
    /// What they were when they were last read, whatever came of it.
    read: Stamps,
    /// What they were when they were last looked at.
    seen: Stamps,
}

impl Files {
    pub(super) fn new(certificate: PathBuf, key: PathBuf) -> Self {
        Self { certificate, key, read: [None; 2], seen: [None; 2] }
    }

    pub(super) fn load(&mut self) -> Result<Pair, PairError> {
        // Before they are read: what changes meanwhile is read again.
        self.read = self.stamps();
        self.seen = self.read;
        if fs::metadata(&self.key).is_ok_and(|metadata| metadata.mode() & OTHERS != 0) {
            return Err(PairError::KeyIsPublic { path: self.key.clone() });
        }
        let read = |key, path: &Path| {
            fs::read(path).map_err(|source| PairError::Unreadable { key, path: path.to_owned(), source })
        };
        let (certificate, key) = (read("certificate", &self.certificate)?, read("key", &self.key)?);
        let pair = Pair::parse(&certificate, &key).map_err(|flaw| match flaw {
            Flaw::NoCertificate => PairError::NoCertificate { path: self.certificate.clone() },
            Flaw::NoKey => PairError::NoKey { path: self.key.clone() },
            Flaw::Strangers => PairError::Strangers { certificate: self.certificate.clone(), key: self.key.clone() },
        })?;
        if pair.ends < SystemTime::now() {
            tracing::warn!(ended = pair.expires(), "the certificate in tls.certificate has expired: renew it");
        }
        Ok(pair)
    }

    /// Shows what the files become, for as long as they are a pair.
    pub(super) async fn watch(mut self, certificates: &Certificates) -> Infallible {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            // Two small files, on a disk.
            match self.look() {
                None => {}
                Some(Ok(pair)) => {
                    tracing::info!(until = pair.expires(), "the certificate was renewed");
                    certificates.replace(pair);
                }
                Some(Err(error)) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the new certificate is refused; the old one is shown on"
                ),
            }
        }
    }

    /// Reads the files if they have changed, and are what they were at the look before: they are written one after the other.
    fn look(&mut self) -> Option<Result<Pair, PairError>> {
        let stamps = self.stamps();
        let are_settled = stamps == self.seen;
        self.seen = stamps;
        (are_settled && stamps != self.read).then(|| self.load())
    }

    fn stamps(&self) -> Stamps {
        [&self.certificate, &self.key].map(|path| {
            let metadata = fs::metadata(path).ok()?;
            Some(Stamp {
                device: metadata.dev(),
                inode: metadata.ino(),
                length: metadata.len(),
                modified: (metadata.mtime(), metadata.mtime_nsec()),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::tls::{pair::tests::made, store::tests::Folder};

    fn write(files: &Files, (certificate, key): &(String, String)) {
        // As whoever renews them does: another file in its place.
        for (path, text) in [(&files.certificate, certificate), (&files.key, key)] {
            let new = path.with_extension("new");
            fs::write(&new, text).expect("written");
            fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).expect("its owner's");
            fs::rename(&new, path).expect("in place");
        }
    }

    #[test]
    fn files_are_read_again_when_they_have_changed_and_settled() {
        let folder = Folder::new();
        let mut files = Files::new(folder.path("cert.pem"), folder.path("key.pem"));
        write(&files, &made("a.example"));
        let first = files.load().expect("a pair").fingerprint;
        assert!(files.look().is_none());
        write(&files, &made("b.example"));
        assert!(files.look().is_none(), "somebody may still be writing");
        let second = files.look().expect("changed").expect("a pair").fingerprint;
        assert_ne!(first, second);
        assert!(files.look().is_none(), "read already");

        // A bad one is refused once, not at each look.
        let (certificate, _) = made("c.example");
        fs::write(&files.certificate, certificate).expect("written");
        assert!(files.look().is_none());
        let refused = files.look().expect("changed").expect_err("strangers").to_string();
        assert!(refused.contains("not the key of tls.certificate") && refused.contains("cert.pem"), "{refused}");
        assert!(files.look().is_none());
        fs::remove_file(&files.certificate).expect("gone");
        assert!(files.look().is_none());
        let refused = files.look().expect("changed").expect_err("nothing there").to_string();
        assert!(refused.contains("tls.certificate is ") && refused.contains("cannot be read"), "{refused}");
        write(&files, &made("d.example"));
        assert!(files.look().is_none());
        files.look().expect("changed").expect("a pair");
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let folder = Folder::new();
        let mut files = Files::new(folder.path("cert.pem"), folder.path("key.pem"));
        write(&files, &made("a.example"));
        fs::set_permissions(&files.key, fs::Permissions::from_mode(0o640)).expect("its group's, too");
        files.load().expect("a pair");
        fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).expect("everybody's");
        let refused = files.load().expect_err("refused").to_string();
        assert!(refused.contains("key.pem") && refused.contains("chmod o-rwx"), "{refused}");
    }
}
