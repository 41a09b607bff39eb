//! What recordings are called: the robot's and the camera's folder, and the time of their first picture, which sorts.

use std::{path::Path, time::Duration};

/// A file that has no first fragment yet: it could not be played.
const UNFINISHED: &str = ".part";

const EXTENSION: &str = ".mp4";

/// The instant in UTC, to the millisecond, without colons, which not every file system takes.
pub(super) fn of(begins: Duration) -> String {
    let instant = std::time::UNIX_EPOCH + begins;
    let written = humantime::format_rfc3339_millis(instant).to_string();
    format!("{}{EXTENSION}", written.replace(':', "-"))
}

pub(super) fn unfinished(name: &str) -> String {
    format!("{name}{UNFINISHED}")
}

/// What a file is to the recorder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Recording {
        /// Since 1970, by the clock of then.
        begins: Duration,
    },
    /// Just begun, or left over from a process that died just then.
    Unfinished,
    /// Somebody else's.
    Foreign,
}

pub(super) fn kind(path: &Path) -> Kind {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Kind::Foreign };
    match name.strip_suffix(UNFINISHED) {
        Some(name) if begins(name).is_some() => Kind::Unfinished,
        Some(_) => Kind::Foreign,
        None => begins(name).map_or(Kind::Foreign, |begins| Kind::Recording { begins }),
    }
}

/// The instant that a name says, if it is one of ours to the letter.
fn begins(name: &str) -> Option<Duration> {
    let (date, time) = name.strip_suffix(EXTENSION)?.split_once('T')?;
    let instant = humantime::parse_rfc3339(&format!("{date}T{}", time.replace('-', ":"))).ok()?;
    let begins = instant.duration_since(std::time::UNIX_EPOCH).ok()?;
    (of(begins) == name).then_some(begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_when_and_sort_by_it() {
        let name = of(Duration::from_millis(1_795_261_302_007));
        assert_eq!(name, "2026-11-21T11-41-42.007Z.mp4");
        assert_eq!(begins(&name), Some(Duration::from_millis(1_795_261_302_007)));
        assert!(name < of(Duration::from_millis(1_795_261_302_008)));
        assert!(of(Duration::from_secs(9)) < of(Duration::from_secs(1_000_000_000)));
    }

    #[test]
    fn only_what_has_such_a_name_is_ours() {
        let kind = |name: &str| kind(Path::new("/r/main").join(name).as_path());
        let begins = Duration::from_millis(1_795_261_302_007);
        assert_eq!(kind("2026-11-21T11-41-42.007Z.mp4"), Kind::Recording { begins });
        assert_eq!(kind("2026-11-21T11-41-42.007Z.mp4.part"), Kind::Unfinished);
        for foreign in [
            "holiday.mp4",
            "2026-11-21T11-41-42.007Z.mkv",
            "2026-11-21T11-41-42Z.mp4",
            "2026-11-21T11:41:42.007Z.mp4",
            "copy of 2026-11-21T11-41-42.007Z.mp4",
            "2026-13-41T11-01-42.007Z.mp4",
            ".part",
            "",
        ] {
            assert_eq!(kind(foreign), Kind::Foreign, "{foreign}");
        }
    }
}
