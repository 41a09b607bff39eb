//! Where tests keep files.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Who was killed may have children that write for a moment longer.
const TRIES: usize = 50;
const TRIES_EVERY: Duration = Duration::from_millis(20);

/// A folder of its own that does not outlive its test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> anyhow::Result<Self> {
        let name = format!("panocast-test-{}-{:08x}", std::process::id(), rand::random::<u32>());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        for _ in 1..TRIES {
            if std::fs::remove_dir_all(&self.0).is_ok() {
                return;
            }
            std::thread::park_timeout(TRIES_EVERY);
        }
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} is left behind: {error}", self.0.display());
        }
    }
}
