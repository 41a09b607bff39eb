//! At how many bits per second an encoding runs. Pure.
//!
//! Nobody who could have the whole of it gets less; where nobody can, it is made to fit the one whose path carries most.

/// Less than this share of a change is not worth one, downward. Upward, somebody is waiting for it.
const WORTH: f64 = 0.05;

/// What those who share an encoding can take of it together: as much as the one that takes most. None is the whole.
pub(super) fn most(limits: impl IntoIterator<Item = Option<u32>>) -> Option<u32> {
    let mut most = Some(0);
    for limit in limits {
        most = most.zip(limit).map(|(most, limit)| most.max(limit));
    }
    most.filter(|most| *most > 0)
}

/// An encoding's bitrate; none is what the config says.
#[derive(Debug, Default)]
pub(super) struct Bitrate(Option<u32>);

impl Bitrate {
    /// Follows what its viewers can take. Returns what it is from now on.
    pub(super) fn follow(&mut self, limit: Option<u32>) -> Option<u32> {
        let keeps = matches!((self.0, limit), (Some(now), Some(limit))
            if limit <= now && f64::from(limit) > f64::from(now) * (1.0 - WORTH));
        if !keeps {
            self.0 = limit;
        }
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_them_counts_and_who_can_take_all_of_it_gets_that() {
        assert_eq!(most([Some(150_000), Some(250_000), Some(200_000)]), Some(250_000));
        assert_eq!(most([Some(150_000), None]), None);
        assert_eq!(most([None, Some(150_000)]), None);
        assert_eq!(most([]), None, "nobody has said anything");
    }

    #[test]
    fn it_goes_up_at_once_and_down_when_it_is_worth_it() {
        let mut bitrate = Bitrate::default();
        assert_eq!(bitrate.follow(None), None);
        assert_eq!(bitrate.follow(Some(200_000)), Some(200_000));
        assert_eq!(bitrate.follow(Some(195_000)), Some(200_000), "nobody would see it");
        assert_eq!(bitrate.follow(Some(201_000)), Some(201_000));
        assert_eq!(bitrate.follow(Some(150_000)), Some(150_000));
        assert_eq!(bitrate.follow(None), None);
    }
}
