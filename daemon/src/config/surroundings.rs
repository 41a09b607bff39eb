//! What a config is read from: files, the environment, and who it is that reads.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    ffi::OsString,
    fmt,
    fs::OpenOptions,
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

/// Of any file that is read here. No config is longer, and none is to fill the memory.
const MAX_FILE: u64 = 1 << 20;

/// How the names of our variables begin.
pub(super) const PREFIX: &str = "PANOCAST_";

/// systemd names the folder of a service's credentials so.
pub(super) const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Everything outside that a config depends on, so that loading one can be tried without it.
pub struct Surroundings {
    pub(super) variables: BTreeMap<String, OsString>,
    pub(super) reader: Identity,
    pub(super) read: Box<ReadFile>,
}

type ReadFile = dyn Fn(&Path) -> Result<Found, FileError> + Send + Sync;

/// Who wants to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub user: u32,
    pub groups: BTreeSet<u32>,
}

/// A file's content, and who else may see it.
pub struct Found {
    pub bytes: Vec<u8>,
    pub access: Access,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    pub mode: u32,
    pub group: u32,
}

#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("it cannot be read")]
    Unreadable(#[source] io::Error),
    #[error("it is no regular file, which could be read again when it changes")]
    Irregular,
    #[error("it is longer than {MAX_FILE} bytes")]
    TooLong,
}

/// Who may read a file that holds a secret, and should not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    Everybody,
    Group(u32),
    /// Those of its group may even change it.
    Writers,
}

impl Surroundings {
    /// This process' own, its environment as it is now.
    pub fn of_process() -> Self {
        let ours = |name: &String| name.starts_with(PREFIX) || name == CREDENTIALS;
        let named = env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        Self {
            variables: named.filter(|(name, _)| ours(name)).collect(),
            reader: Identity::of_process(),
            read: Box::new(read),
        }
    }
}

impl Identity {
    fn of_process() -> Self {
        // Without a list of groups there is the one.
        let groups = rustix::process::getgroups().unwrap_or_default();
        let own = rustix::process::getegid();
        Self {
            user: rustix::process::geteuid().as_raw(),
            groups: groups.into_iter().chain([own]).map(|group| group.as_raw()).collect(),
        }
    }
}

impl Access {
    /// Whether a secret is safe in the file: with its owner and, to read it, a group whose business it is. That is the
    /// reader's own one, root's, and whichever one root reads for.
    pub fn others(self, reader: &Identity) -> Option<Others> {
        let theirs = self.group == 0 || reader.user == 0 || reader.groups.contains(&self.group);
        match self.mode {
            mode if mode & 0o007 != 0 => Some(Others::Everybody),
            mode if mode & 0o070 != 0 && !theirs => Some(Others::Group(self.group)),
            mode if mode & 0o020 != 0 => Some(Others::Writers),
            _ => None,
        }
    }
}

impl Others {
    /// The mode that keeps them out.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Everybody | Self::Writers => "640",
            Self::Group(_) => "600",
        }
    }
}

/// Continues "a file that …".
impl fmt::Display for Others {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everybody => formatter.write_str("is open to everybody on this machine"),
            Self::Group(group) => write!(formatter, "is open to group {group}, which this process is not in"),
            Self::Writers => formatter.write_str("can be changed by its group"),
        }
    }
}

fn read(path: &Path) -> Result<Found, FileError> {
    // Who opens a pipe would otherwise wait for its other end.
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).expect("flags of open(2) are an int");
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path).map_err(FileError::Unreadable)?;
    let metadata = file.metadata().map_err(FileError::Unreadable)?;
    if !metadata.is_file() {
        return Err(FileError::Irregular);
    }
    let mut bytes = Vec::new();
    let length = file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(FileError::Unreadable)?;
    if length as u64 > MAX_FILE {
        return Err(FileError::TooLong);
    }
    Ok(Found { bytes, access: Access { mode: metadata.mode() & 0o7777, group: metadata.gid() } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secrets_file_is_its_owners_and_at_most_a_group_reads_it_whose_business_it_is() {
        let reader = Identity { user: 1000, groups: [1000, 44].into() };
        let others = |mode, group| Access { mode, group }.others(&reader);
        for (mode, group) in [(0o600, 5), (0o400, 5), (0o640, 1000), (0o440, 44), (0o640, 0), (0o700, 5)] {
            assert_eq!(others(mode, group), None, "{mode:o} {group}");
        }
        for mode in [0o644, 0o604, 0o602, 0o666, 0o601] {
            assert_eq!(others(mode, 1000), Some(Others::Everybody), "{mode:o}");
        }
        assert_eq!(others(0o640, 5), Some(Others::Group(5)));
        assert_eq!(others(0o620, 5), Some(Others::Group(5)));
        assert_eq!(others(0o660, 1000), Some(Others::Writers));
        let root = Identity { user: 0, groups: [0].into() };
        assert_eq!(Access { mode: 0o640, group: 5 }.others(&root), None, "root reads for a service of that group");
        assert_eq!(Access { mode: 0o644, group: 0 }.others(&root), Some(Others::Everybody));
    }

    #[test]
    fn what_could_not_be_read_again_or_has_no_end_is_not_read() {
        assert!(matches!(read(Path::new("/dev/zero")), Err(FileError::Irregular)));
        assert!(matches!(read(Path::new("/")), Err(FileError::Irregular)));
        assert!(matches!(read(Path::new("/nonexistent")), Err(FileError::Unreadable(_))));
        let manifest = read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))).map(|found| found.bytes);
        assert!(manifest.is_ok_and(|bytes| bytes.starts_with(b"[package]")));
    }
}
