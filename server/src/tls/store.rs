//! What is kept across restarts, in a folder that is the server's own: keys, which nobody else may read.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::PathBuf,
};

use super::{
    TlsError,
    pair::{Flaw, Pair},
};

#[derive(Clone, Debug)]
pub(super) struct Store {
    dir: PathBuf,
}

impl Store {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// `None` when there is none.
    pub(super) fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.dir.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A certificate and its key in one file, so that one is never without the other.
    pub(super) fn read_pair(&self, name: &'static str) -> Result<Option<Pair>, TlsError> {
        let bytes = self.read(name).map_err(|source| self.failed(name, "read", source))?;
        let Some(bytes) = bytes else { return Ok(None) };
        Pair::parse(&bytes, &bytes).map(Some).map_err(|flaw| {
            let why = match flaw {
                Flaw::NoCertificate => "it has no certificate in it",
                Flaw::NoKey => "it has no key in it",
                Flaw::Strangers => "its key is another certificate's",
            };
            self.failed(name, "understood", io::Error::other(why))
        })
    }

    /// All of it, or nothing, whatever happens meanwhile.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.dir)?;
        let new = self.dir.join(format!("{name}.new"));
        // Left by a process that was killed, and perhaps not only its owner's.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, self.dir.join(name))?;
        File::open(&self.dir)?.sync_all()
    }

    pub(super) fn failed(&self, path: &'static str, what: &'static str, source: io::Error) -> TlsError {
        TlsError::Dir { dir: self.dir.clone(), path, what, source }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::{os::unix::fs::PermissionsExt, path::Path};

    use super::*;

    /// A folder of a test's own, gone with it.
    pub(in crate::tls) struct Folder(PathBuf);

    impl Folder {
        pub(in crate::tls) fn new() -> Self {
            let mut name = [0; 8];
            getrandom::fill(&mut name).expect("random bytes");
            let path = std::env::temp_dir().join(format!("panocast-tls-{:016x}", u64::from_le_bytes(name)));
            fs::create_dir(&path).expect("a folder");
            Self(path)
        }

        pub(in crate::tls) fn path(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            // A test that failed has more to say than this.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_is_kept_is_nobody_elses() {
        let folder = Folder::new();
        let store = Store::new(folder.path("a/b"));
        assert_eq!(store.read("x").expect("readable"), None);
        store.write("x", b"1").expect("written");
        store.write("x", b"2").expect("written over");
        assert_eq!(store.read("x").expect("readable").as_deref(), Some(&b"2"[..]));
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&store.dir), mode(&folder.path("a/b/x"))), (0o700, 0o600));
    }
}
