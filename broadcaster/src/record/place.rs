//! The folders that recordings lie in, and the disk below them.

use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
};

/// Why nothing can be recorded, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("recordings cannot be written to {dir} ({error}): {advice}")]
pub(crate) struct CannotWrite {
    dir: String,
    error: io::Error,
    advice: &'static str,
}

/// Tries to write where the folder is, or will be, and leaves nothing behind: who tries may be somebody else than who records.
pub(crate) fn check(dir: &Path) -> Result<(), CannotWrite> {
    try_to_write(dir).map_err(|error| CannotWrite { dir: dir.display().to_string(), advice: advice(&error), error })
}

fn try_to_write(dir: &Path) -> io::Result<()> {
    let trial = existing(dir)?.join(format!(".panocast-trial-{}", std::process::id()));
    OpenOptions::new().write(true).create_new(true).open(&trial)?;
    fs::remove_file(trial)
}

/// Bytes that are free for us where the folder is, or will be.
pub(super) fn free(dir: &Path) -> io::Result<u64> {
    let disk = nix::sys::statvfs::statvfs(&existing(dir)?)?;
    Ok(disk.blocks_available().saturating_mul(disk.fragment_size()))
}

/// The folder, or the one that it will be made in.
fn existing(dir: &Path) -> io::Result<PathBuf> {
    for folder in dir.ancestors().filter(|folder| !folder.as_os_str().is_empty()) {
        if folder.try_exists()? {
            return Ok(folder.to_owned());
        }
    }
    Ok(".".into())
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "there are dozens of errors, of which these have a remedy of their own"
)]
pub(super) fn advice(error: &io::Error) -> &'static str {
    use io::ErrorKind;
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space on its disk, or lower recording.quota",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "let the broadcaster's user write there, and its service, if it is one of systemd's, by ReadWritePaths=, or \
             choose another recording.dir"
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "something else is in the way, so choose another recording.dir"
        }
        ErrorKind::TimedOut => "its disk does not answer",
        _ => "see to its disk, or choose another recording.dir",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::Folder;

    #[test]
    fn who_asks_leaves_nothing_behind_and_hears_what_is_in_the_way() {
        let folder = Folder::new();
        check(&folder.path().join("demo/main")).expect("it can be made");
        assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0);
        fs::write(folder.path().join("demo"), "").expect("a file");
        let error = check(&folder.path().join("demo/main")).expect_err("a file is in the way").to_string();
        assert!(error.contains("demo/main (") && error.contains("another recording.dir"), "{error}");
    }

    #[test]
    fn who_may_not_write_hears_of_the_service_too() {
        let advice = advice(&io::ErrorKind::ReadOnlyFilesystem.into());
        assert!(advice.contains("user") && advice.contains("ReadWritePaths="), "{advice}");
    }
}
