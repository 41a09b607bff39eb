//! The files that the database consists of: plain ones, of whoever owns their directory, and nobody else's to read.
//!
//! A command that root runs finds them in a directory of the server's, which is not root. So nothing here follows a link,
//! or changes what has another name elsewhere, where root would change what the server could not.

use std::{
    fs, io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, Stat, chownat, fstat, open},
    io::Errno,
    process::{Gid, Uid},
};

/// The database itself, and what SQLite keeps beside it, which comes and goes.
const SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];

/// Those who are not its owner.
const OTHERS: u32 = 0o077;

#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("{0} is no plain file: remove it")]
    NotPlain(PathBuf),
    #[error("{0} has another name elsewhere: remove one of them")]
    Linked(PathBuf),
    #[error("others can read {path} (mode {mode:04o}), and it is not this user's to change: chmod 600 {path}")]
    Readable { path: PathBuf, mode: u32 },
}

/// A file that is there, whatever its name leads to by now.
struct Found {
    path: PathBuf,
    /// Good for nothing but to name it. Closing one that can be read would end SQLite's locks on the file.
    file: OwnedFd,
    stat: Stat,
}

/// Makes the database's file if there is none, and sees to it that nobody else can read what is there. SQLite gives its
/// other files the same permissions.
pub(super) fn prepare(path: &Path) -> io::Result<()> {
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made.map(drop),
    }
    for found in all(path)? {
        let mode = found.stat.st_mode & 0o7777;
        if mode & OTHERS == 0 {
            continue;
        }
        if found.permit(mode & !OTHERS).is_err() {
            return Err(io::Error::other(FileError::Readable { path: found.path, mode }));
        }
        tracing::warn!(
            path = %found.path.display(),
            mode = format!("{mode:04o}"),
            "others could read robots' and links' secrets; they cannot any more, but may have"
        );
    }
    Ok(())
}

/// A command that root runs must leave no files that the server, which is not root, could not write.
pub(super) fn give_to_owner(path: &Path) -> io::Result<()> {
    let owner = fs::metadata(path.parent().unwrap_or(Path::new(".")))?;
    for found in all(path)? {
        if found.stat.st_uid == owner.uid() {
            continue;
        }
        match found.give(owner.uid(), owner.gid()) {
            // Who owns neither file nor directory may still be allowed to write both.
            Err(Errno::PERM | Errno::ACCESS) => {}
            given => given?,
        }
    }
    Ok(())
}

fn all(path: &Path) -> io::Result<Vec<Found>> {
    SUFFIXES.iter().filter_map(|suffix| Found::at(path, suffix).transpose()).collect()
}

impl Found {
    fn at(path: &Path, suffix: &str) -> io::Result<Option<Self>> {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let path = PathBuf::from(name);
        let file = match open(&path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let stat = fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::other(FileError::NotPlain(path)));
        }
        match stat.st_nlink {
            // SQLite removed it meanwhile.
            0 => Ok(None),
            1 => Ok(Some(Self { path, file, stat })),
            _ => Err(io::Error::other(FileError::Linked(path))),
        }
    }

    fn permit(&self, mode: u32) -> io::Result<()> {
        // The one name of a file that is only held by its path.
        let name = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        fs::set_permissions(name, fs::Permissions::from_mode(mode))
    }

    fn give(&self, owner: u32, group: u32) -> Result<(), Errno> {
        chownat(&self.file, "", Some(Uid::from_raw(owner)), Some(Gid::from_raw(group)), AtFlags::EMPTY_PATH)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::auth::{Store, tests::Place};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("there").permissions().mode() & 0o777
    }

    fn refusal(place: &Place) -> String {
        let error = Store::open(&place.0).err().expect("refused");
        let source = std::error::Error::source(&error).expect("a reason");
        source.to_string()
    }

    #[test]
    fn what_others_could_read_they_cannot_any_more() {
        let place = Place::new();
        let _open = place.store();
        let files = SUFFIXES.map(|suffix| place.0.join(format!("server.db{suffix}")));
        for file in &files {
            fs::set_permissions(file, fs::Permissions::from_mode(0o664)).expect("made readable");
        }
        drop(place.store());
        assert_eq!(files.map(|file| mode(&file)), [0o600; 3]);
    }

    #[test]
    fn links_are_not_followed() {
        for suffix in SUFFIXES {
            let place = Place::new();
            drop(place.store());
            let elsewhere = place.0.join("elsewhere");
            fs::write(&elsewhere, "").expect("written");
            fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o644)).expect("readable");
            let file = place.0.join(format!("server.db{suffix}"));
            let _ = fs::remove_file(&file);
            symlink(&elsewhere, &file).expect("a link");
            assert!(refusal(&place).contains("no plain file"), "{}", refusal(&place));
            fs::remove_file(&file).expect("removed");
            fs::hard_link(&elsewhere, &file).expect("a second name");
            assert!(refusal(&place).contains("another name"), "{}", refusal(&place));
            assert_eq!((mode(&elsewhere), fs::read(&elsewhere).expect("read")), (0o644, Vec::new()));
        }
    }

    #[test]
    fn a_directory_may_be_reached_by_a_link() {
        let place = Place::new();
        drop(place.store());
        let link = Place::new();
        symlink(&place.0, &link.0).expect("a link");
        drop(link.store());
        fs::remove_file(&link.0).expect("removed");
    }

    /// Closing a file that can be read would end the locks of whoever has it open in this process.
    #[test]
    fn looking_at_the_files_leaves_locks_alone() {
        let place = Place::new();
        let path = place.0.join("server.db");
        drop(place.store());
        let locked =
            || fs::read_to_string("/proc/locks").expect("locks").lines().map(str::to_owned).collect::<Vec<_>>();
        let store = place.store();
        let inode = fs::metadata(&path).expect("there").ino().to_string();
        let held = || locked().iter().filter(|lock| lock.contains(&format!(":{inode} "))).count();
        let before = held();
        assert_ne!(before, 0, "a database that is open is locked");
        prepare(&path).expect("prepared");
        give_to_owner(&path).expect("given");
        assert_eq!(held(), before);
        drop(store);
    }
}
