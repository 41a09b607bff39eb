//! A reel that is fed invented pictures at invented times.

use super::*;
use crate::media::NtpTime;

const FRAME: u64 = 40;
/// 2023.
const BEGAN: u64 = 1_700_000_000;

#[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
fn start() -> Instant {
    Instant::now()
}

/// A reel that is fed 25 pictures a second.
struct Fed {
    reel: Reel,
    start: Instant,
    millis: u64,
    /// By how much the wall clock has been set.
    clock: u64,
    sps: Vec<u8>,
}

const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x0c, 0xda, 0x0a, 0x0a, 0xc8, 0x40];

impl Fed {
    fn new(seconds: u64, with_sound: bool) -> Self {
        let limits = Limits { duration: Duration::from_secs(seconds), bytes: 1_000_000 };
        Self { reel: Reel::new(limits, with_sound), start: start(), millis: 0, clock: 0, sps: SPS.to_vec() }
    }

    fn unit(&self, data: Vec<u8>, keyframe: bool) -> AccessUnit {
        let unix = Duration::from_millis(BEGAN * 1000 + self.millis + self.clock);
        let captured = Moment {
            media: Duration::from_millis(5000 + self.millis),
            instant: self.start,
            ntp: NtpTime(2_208_988_800 << 32).after(unix),
        };
        AccessUnit { data: data.into(), keyframe, captured }
    }

    /// The next picture, and what comes of it.
    fn picture(&mut self, keyframe: bool) -> Vec<Output> {
        let mut data = vec![0, 0, 0, 1, if keyframe { 0x65 } else { 0x41 }, 0x88, 0x84];
        if keyframe {
            data = [&[0, 0, 0, 1], &self.sps[..], &[0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80], &data].concat();
        }
        let unit = self.unit(data, keyframe);
        self.reel.handle_picture(&unit, self.start + Duration::from_millis(self.millis));
        self.millis += FRAME;
        self.drain()
    }

    fn pictures(&mut self, count: usize) -> Vec<Output> {
        (0..count).flat_map(|_| self.picture(false)).collect()
    }

    fn drain(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.reel.poll_output()).collect()
    }
}

fn kinds(outputs: &[Output]) -> String {
    let kind = |output: &Output| match output {
        Output::Open(_) => 'o',
        Output::Append(_) => 'a',
        Output::Close(_) => 'c',
        Output::Keyframe => 'k',
    };
    outputs.iter().map(kind).collect()
}

#[test]
fn a_file_begins_with_a_keyframe_and_grows_every_quarter_of_a_second() {
    let mut fed = Fed::new(60, false);
    assert_eq!(fed.pictures(3), [], "nothing to decode it by");
    assert_eq!(fed.picture(true), [Output::Open(Duration::from_millis(BEGAN * 1000 + 120))]);
    let grown = fed.pictures(25);
    assert_eq!(kinds(&grown), "aaa");
    let Output::Append(first) = &grown[0] else { panic!("a fragment") };
    assert_eq!(&first[4..8], b"ftyp", "a file has its header and pictures, or is not there");
    let Output::Append(second) = &grown[1] else { panic!("a fragment") };
    assert_eq!(&second[4..8], b"moof");
}

#[test]
fn what_waits_is_written_when_nothing_follows() {
    let mut fed = Fed::new(60, false);
    fed.picture(true);
    let due = fed.reel.poll_timeout().expect("something waits");
    assert_eq!(due, fed.start + FRAGMENT + SILENCE);
    fed.reel.handle_timeout(due - Duration::from_millis(1));
    assert_eq!(fed.drain(), []);
    fed.reel.handle_timeout(due);
    assert_eq!((kinds(&fed.drain()).as_str(), fed.reel.poll_timeout()), ("a", None));
}

#[test]
fn a_file_that_is_long_enough_ends_before_the_next_keyframe_which_is_asked_for() {
    let mut fed = Fed::new(10, false);
    fed.picture(true);
    let outputs = fed.pictures(249);
    assert!(!outputs.contains(&Output::Keyframe));
    assert_eq!(fed.pictures(51).iter().filter(|output| **output == Output::Keyframe).count(), 2, "asked again");
    let cut = fed.picture(true);
    assert_eq!(kinds(&cut), "aco");
    assert_eq!(fed.reel.running.as_ref().map(|running| running.began.media), Some(Duration::from_millis(17_040)));
    assert_eq!(kinds(&fed.picture(true)), "a", "a keyframe of somebody else's begins a fragment only");
}

#[test]
fn other_parameters_a_gap_or_a_clock_that_was_set_begin_another_file() {
    type Change = fn(&mut Fed);
    let changes: [(&str, Change); 3] =
        [("size", |fed| fed.sps[8] = 0x41), ("gap", |fed| fed.millis += 5000), ("clock", |fed| fed.clock = 3_600_000)];
    for (what, change) in changes {
        let mut fed = Fed::new(60, false);
        fed.picture(true);
        fed.pictures(3);
        change(&mut fed);
        assert!(kinds(&fed.picture(true)).ends_with("aco"), "{what}");
        let Some(running) = &fed.reel.running else { panic!("it goes on") };
        assert_eq!(running.pictures.waiting[0].begins, 0);
    }
}

#[test]
fn pictures_last_until_the_next_across_fragments_and_sound_is_beside_them() {
    let mut fed = Fed::new(60, true);
    let sound = |fed: &mut Fed| {
        let unit = fed.unit(vec![7; 3], true);
        fed.reel.handle_sound(&unit, fed.start);
    };
    sound(&mut fed);
    fed.picture(true);
    for _ in 0..3 {
        sound(&mut fed);
        fed.pictures(1);
    }
    let running = fed.reel.running.as_mut().expect("it runs");
    assert_eq!(running.sounds.waiting.iter().map(|sample| sample.begins).collect::<Vec<_>>(), [1920, 3840, 5760]);
    let written = running.pictures.take(Some(Duration::from_millis(160)));
    assert!(written.iter().all(|sample| sample.lasts == 3600), "{written:?}");
    assert_eq!(running.pictures.ends, 4 * 3600);
}

#[test]
fn a_file_ends_well_or_not_at_all() {
    let mut fed = Fed::new(60, false);
    fed.picture(true);
    fed.reel.stop();
    assert_eq!(kinds(&fed.drain()), "ac");
    fed.picture(true);
    fed.pictures(1);
    fed.reel.abandon();
    assert_eq!((fed.drain(), fed.reel.poll_timeout()), (vec![], None));
    assert_eq!(kinds(&fed.picture(true)), "o");
}
