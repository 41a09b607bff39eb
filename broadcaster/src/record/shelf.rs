//! Which recordings go, and whether there is room for more. Pure.

use std::time::Duration;

/// What may be written until the next look, and a margin for what else the disk is used for.
const HEADROOM: u64 = 16_000_000;

/// One finished recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Volume<P> {
    pub(super) path: P,
    /// When it was new, since 1970: what sorts by age across cameras.
    pub(super) taken: Duration,
    pub(super) bytes: u64,
}

/// What was found on the disk.
#[derive(Clone, Debug)]
pub(super) struct Survey<P> {
    pub(super) volumes: Vec<Volume<P>>,
    /// Bytes of the recordings that are being written.
    pub(super) open: u64,
    /// Bytes that are free for us.
    pub(super) free: u64,
}

/// What the operator allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    pub(super) quota: u64,
    pub(super) reserve: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Enough,
    /// So much is missing that deleting all recordings would not help.
    Short {
        free: u64,
    },
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan<P> {
    pub(super) delete: Vec<Volume<P>>,
    pub(super) room: Room,
}

impl Allowance {
    /// How long a single recording may become, so that the oldest of several can go: the quota is shared by so many cameras.
    pub(super) fn volume(self, cameras: usize) -> u64 {
        self.quota / 8 / cameras.max(1) as u64
    }

    fn headroom(self) -> u64 {
        HEADROOM.min(self.quota / 16)
    }

    /// `room` is what was said last: who stopped goes on only when there is some space, or else it would stop at once.
    pub(super) fn plan<P>(self, survey: Survey<P>, room: Room) -> Plan<P> {
        let Survey { mut volumes, open, free } = survey;
        volumes.sort_by_key(|volume| volume.taken);
        let ours = volumes.iter().fold(0, |sum: u64, volume| sum.saturating_add(volume.bytes));
        let over = ours.saturating_add(open).saturating_add(self.headroom()).saturating_sub(self.quota);
        let margin = match room {
            Room::Enough => 0,
            Room::Short { .. } => self.headroom(),
        };
        let missing = self.reserve.saturating_add(margin).saturating_sub(free);
        // Without hope nothing is sacrificed.
        let (hopeless, wanted) = if missing > ours { (true, over) } else { (false, over.max(missing)) };
        let mut freed: u64 = 0;
        let mut delete = Vec::new();
        for volume in volumes {
            if freed >= wanted {
                break;
            }
            freed = freed.saturating_add(volume.bytes);
            delete.push(volume);
        }
        let room = if hopeless { Room::Short { free } } else { Room::Enough };
        Plan { delete, room }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1_000_000;
    const ALLOWANCE: Allowance = Allowance { quota: 160 * MB, reserve: 50 * MB };

    fn plan(names: &[&'static str], open: u64, free: u64, room: Room) -> (Vec<&'static str>, Room) {
        let volume = |name: &&'static str| {
            let taken = Duration::from_secs(name.parse().expect("a number"));
            Volume { path: *name, taken, bytes: 40 * MB }
        };
        let survey = Survey { volumes: names.iter().map(volume).collect(), open, free };
        let Plan { delete, room } = ALLOWANCE.plan(survey, room);
        (delete.into_iter().map(|volume| volume.path).collect(), room)
    }

    #[test]
    fn the_oldest_go_when_the_quota_is_reached_wherever_they_lie() {
        let plan = |names: &[&'static str], open| plan(names, open * MB, 1000 * MB, Room::Enough);
        assert_eq!(plan(&["3", "1", "2"], 30), (vec![], Room::Enough));
        assert_eq!(plan(&["3", "1", "2"], 31), (vec!["1"], Room::Enough), "before the next look it would be too much");
        assert_eq!(plan(&["3", "1", "4", "2"], 65), (vec!["1", "2"], Room::Enough));
        assert_eq!(plan(&[], 500), (vec![], Room::Enough), "what is being written stays");
    }

    #[test]
    fn the_oldest_go_when_others_need_the_disk() {
        let plan = |names: &[&'static str], free| plan(names, 0, free * MB, Room::Enough);
        assert_eq!(plan(&["1", "2"], 50), (vec![], Room::Enough));
        assert_eq!(plan(&["1", "2"], 49), (vec!["1"], Room::Enough));
        assert_eq!(plan(&["1", "2"], 5), (vec!["1", "2"], Room::Enough));
    }

    #[test]
    fn nothing_goes_when_that_would_not_help() {
        let short = Room::Short { free: 0 };
        assert_eq!(plan(&["1"], 0, 0, Room::Enough), (vec![], short));
        assert_eq!(plan(&[], 0, 0, short), (vec![], short));
        assert_eq!(plan(&[], 0, 55 * MB, short), (vec![], Room::Short { free: 55 * MB }), "not for a moment only");
        assert_eq!(plan(&[], 0, 60 * MB, short), (vec![], Room::Enough));
    }

    #[test]
    fn a_reserve_larger_than_any_disk_is_short() {
        let allowance = Allowance { reserve: u64::MAX, ..ALLOWANCE };
        let survey = Survey::<()> { volumes: Vec::new(), open: u64::MAX, free: MB };
        assert_eq!(allowance.plan(survey, Room::Short { free: 0 }).room, Room::Short { free: MB });
    }

    #[test]
    fn several_volumes_fit_into_the_quota() {
        assert_eq!(ALLOWANCE.volume(2), 10 * MB);
        assert_eq!(ALLOWANCE.volume(0), 20 * MB);
    }
}
