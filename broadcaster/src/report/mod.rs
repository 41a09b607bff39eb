//! What the broadcaster is doing, for people and for what supervises it. Pure.
//!
//! The fan-out says so every second, with what its cameras last said of themselves: a report is also the proof that the loops
//! that matter go round.

mod line;
mod told;

use std::time::{Duration, Instant};

use protocol::CameraId;

use crate::media::{Encoding, VideoCodec};
pub use line::line;
pub(crate) use told::told;

/// A loop that has not gone round for this long hangs. Longer than a driver may take to let go of its camera.
const TURNS_WITHIN: Duration = Duration::from_secs(10);

/// Numbers count from the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub at: Instant,
    pub link: LinkState,
    /// Those who get media.
    pub viewers: usize,
    pub cameras: Vec<CameraReport>,
    /// One of the threads that serve viewers takes nothing more.
    pub stalled: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    #[default]
    Down,
    /// The server has yet to say whether it takes us.
    Up,
    Registered,
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraReport {
    pub id: CameraId,
    pub state: CameraState,
    pub health: Health,
    /// What its encoders make, whether they run or not.
    pub streams: Vec<Stream>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CameraState {
    /// It has never given a picture.
    #[default]
    Opening,
    Running,
    Lost,
}

/// What a camera's own task says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// When the task last went round.
    pub turned: Instant,
    pub pictures: u64,
    /// Encoded pictures and sounds that nobody got, as the fan-out was behind.
    pub left_out: u64,
}

/// What one encoder makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    pub kind: StreamKind,
    pub running: bool,
    pub units: u64,
    pub bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamKind {
    Video { rung: u8, width: u32, fps: u32, codec: protocol::VideoCodec },
    Audio,
}

impl Report {
    /// Its loops go round.
    pub fn is_well(&self, now: Instant) -> bool {
        let turns = |at: Instant| now.saturating_duration_since(at) < TURNS_WITHIN;
        !self.stalled && turns(self.at) && self.cameras.iter().all(|camera| turns(camera.health.turned))
    }

    /// It does what it is there for, or has found out that a camera must be waited for.
    pub fn is_ready(&self) -> bool {
        self.cameras.iter().all(|camera| camera.state != CameraState::Opening)
    }

    /// In a few words, for those who ask the supervisor.
    pub fn summary(&self) -> String {
        let mut words = vec![self.link.to_string(), viewers(self.viewers)];
        let waiting = self.cameras.iter().filter(|camera| camera.state != CameraState::Running);
        words.extend(waiting.map(|camera| format!("camera {} {}", camera.id, camera.state)));
        words.join(", ")
    }
}

impl Health {
    pub fn new(now: Instant) -> Self {
        Self { turned: now, pictures: 0, left_out: 0 }
    }
}

impl StreamKind {
    /// `rungs` are the camera's qualities.
    pub(crate) fn of(encoding: Encoding, rungs: &[protocol::Rung]) -> Self {
        let Encoding::Video { rung, codec } = encoding else { return Self::Audio };
        let (width, fps) = rungs.get(usize::from(rung)).map(|rung| (rung.width, rung.fps)).unwrap_or_default();
        let codec = match codec {
            VideoCodec::H264 => protocol::VideoCodec::H264,
            VideoCodec::Vp8 => protocol::VideoCodec::Vp8,
        };
        Self::Video { rung, width, fps, codec }
    }
}

#[expect(clippy::cast_precision_loss, reason = "of some seconds' worth nothing is lost")]
fn rate(now: u64, before: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { now.saturating_sub(before) as f64 / seconds } else { 0.0 }
}

fn viewers(count: usize) -> String {
    format!("{count} viewer{}", if count == 1 { "" } else { "s" })
}

impl std::fmt::Display for LinkState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Down => "no link to the server",
            Self::Up => "joining",
            Self::Registered => "linked",
            Self::Refused => "refused by the server",
        })
    }
}

impl std::fmt::Display for CameraState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Opening => "opens",
            Self::Running => "runs",
            Self::Lost => "is lost",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn only_loops_that_go_round_are_well() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let camera = |turned| CameraReport {
            id: "main".parse().expect("an id"),
            state: CameraState::Lost,
            health: Health::new(turned),
            streams: Vec::new(),
        };
        let report = |turned| Report {
            at: at(10),
            link: LinkState::Down,
            viewers: 0,
            cameras: vec![camera(at(10)), camera(turned)],
            stalled: false,
        };
        assert!(report(at(10)).is_well(at(19)));
        assert!(!report(at(10)).is_well(at(20)), "the fan-out hangs");
        assert!(!report(at(8)).is_well(at(18)), "a camera's task hangs");
        assert!(!Report { stalled: true, ..report(at(10)) }.is_well(at(10)));
        assert!(report(at(10)).is_ready(), "whoever waits for a camera is up");
        assert_eq!(
            report(at(10)).summary(),
            "no link to the server, 0 viewers, camera main is lost, camera main is lost"
        );
        let mut opening = report(at(10));
        opening.cameras[0].state = CameraState::Opening;
        assert!(!opening.is_ready());
        assert_eq!(opening.summary(), "no link to the server, 0 viewers, camera main opens, camera main is lost");
    }
}
