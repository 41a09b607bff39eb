//! Which of the machine's encoders a camera uses, and why none of those that come before it. Pure: the trials are somebody
//! else's.

use std::{collections::BTreeSet, fmt, time::Duration};

use super::{
    h264::{KINDS, Kind},
    trial::Unfit,
};
use crate::config::Encoder;

/// One that fails twice in a row, and each time so soon, will go on to.
const SOON: Duration = Duration::from_secs(10);
const FAILURES: u32 = 2;

/// What was found.
#[derive(Debug)]
pub struct Choice {
    kind: &'static Kind,
    refused: Refused,
}

/// Encoders that will not do, and why.
#[derive(Debug, Default)]
pub struct Refused(Vec<(&'static str, Unfit)>);

/// There is no encoder that works.
#[derive(Debug, thiserror::Error)]
pub enum NoEncoder {
    #[error(
        "encoder is \"{0}\", which does not work on this machine: use \"auto\" or another, or mend this ({1:#}); plugins for \
         hardware have their elements only where they find it"
    )]
    Named(Encoder, Refused),
    #[error(
        "no encoder for H.264 works on this machine: install the Debian package gstreamer1.0-plugins-ugly, which has x264 ({0})"
    )]
    Auto(Refused),
}

/// Goes through the encoders of one camera.
#[derive(Debug)]
pub(in crate::capture) struct Chooser {
    kinds: &'static [Kind],
    wish: Encoder,
    chosen: Option<&'static Kind>,
    /// How often the chosen one has failed in a row.
    failures: u32,
    /// By their elements.
    passed_over: BTreeSet<&'static str>,
}

impl Chooser {
    pub(in crate::capture) fn new(wish: Encoder) -> Self {
        Self::among(&KINDS, wish)
    }

    pub(in crate::capture) fn among(kinds: &'static [Kind], wish: Encoder) -> Self {
        Self { kinds, wish, chosen: None, failures: 0, passed_over: BTreeSet::new() }
    }

    pub(in crate::capture) fn chosen(&self) -> Option<&'static Kind> {
        self.chosen
    }

    /// Those that are to be tried, best first.
    pub(in crate::capture) fn candidates(&self) -> Candidates {
        let wanted = |kind: &&Kind| self.wish == Encoder::Auto || kind.encoder == self.wish;
        let kinds = self.kinds.iter().filter(wanted).filter(|kind| !self.passed_over.contains(kind.element));
        Candidates { wish: self.wish, kinds: kinds.collect() }
    }

    /// This is what the trials came to. If they came to nothing, all are worth a trial next time.
    pub(in crate::capture) fn settle(&mut self, chosen: Option<&'static Kind>) {
        (self.chosen, self.failures) = (chosen, 0);
        if chosen.is_none() {
            self.passed_over.clear();
        }
    }

    /// A pipeline has failed after it ran for so long, by its encoder's fault or by another's. True: the chosen encoder is
    /// not used any more.
    pub(in crate::capture) fn failed(&mut self, by_encoder: bool, ran: Duration) -> bool {
        let Some(chosen) = self.chosen.filter(|_| by_encoder) else {
            self.failures = 0;
            return false;
        };
        self.failures = if ran < SOON { self.failures + 1 } else { 1 };
        let passes = self.wish == Encoder::Auto && self.failures >= FAILURES;
        if passes {
            self.passed_over.insert(chosen.element);
            (self.chosen, self.failures) = (None, 0);
        }
        passes
    }
}

/// Encoders that are to be tried, best first.
pub(in crate::capture) struct Candidates {
    wish: Encoder,
    kinds: Vec<&'static Kind>,
}

impl Candidates {
    /// Tries one after the other, until one works.
    pub(in crate::capture) fn first_that_works(
        self,
        mut try_out: impl FnMut(&'static Kind) -> Result<(), Unfit>,
    ) -> Result<Choice, NoEncoder> {
        let mut refused = Refused::default();
        for kind in self.kinds {
            match try_out(kind) {
                Ok(()) => return Ok(Choice { kind, refused }),
                Err(why) => refused.0.push((kind.element, why)),
            }
        }
        Err(if self.wish == Encoder::Auto { NoEncoder::Auto(refused) } else { NoEncoder::Named(self.wish, refused) })
    }
}

/// For people: what it is called in the config and by GStreamer, and why it is none of those before it.
impl fmt::Display for Choice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.kind.encoder, self.kind.element)
    }
}

impl Choice {
    pub(in crate::capture) fn kind(&self) -> &'static Kind {
        self.kind
    }

    pub fn refused(&self) -> &Refused {
        &self.refused
    }
}

impl NoEncoder {
    /// Each of them lacks what only an administrator can give.
    pub(in crate::capture) fn is_misfit(&self) -> bool {
        let (Self::Named(_, Refused(refused)) | Self::Auto(Refused(refused))) = self;
        refused.iter().all(|(_, why)| matches!(why, Unfit::Broken(error) if error.is_misfit()))
    }
}

impl Refused {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// For people: those that are not there need no other reason, unless one of them is asked for (`{:#}`).
impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_missing =
            |why: &Unfit| !formatter.alternate() && matches!(why, Unfit::Broken(error) if error.is_missing());
        let (missing, broken): (Vec<_>, Vec<_>) = self.0.iter().partition(|(_, why)| is_missing(why));
        let missing: Vec<&str> = missing.iter().map(|(element, _)| *element).collect();
        let mut reasons: Vec<String> = broken.iter().map(|(element, why)| format!("{element}: {why}")).collect();
        if !missing.is_empty() {
            reasons.insert(0, format!("not there: {}", missing.join(", ")));
        }
        formatter.write_str(&reasons.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{super::element::absent, stream::Flaw},
        *,
    };

    fn silent(kind: &'static Kind) -> Result<(), Unfit> {
        if kind.encoder == Encoder::Openh264 { Ok(()) } else { Err(Unfit::Silent) }
    }

    #[test]
    fn the_first_that_works_is_taken_and_those_before_are_accounted_for() {
        let mut tried = Vec::new();
        let outcome = |kind: &'static Kind| {
            tried.push(kind.element);
            match kind.element {
                "v4l2h264enc" => Ok(()),
                "nvh264enc" => Err(Unfit::Stream(Flaw::BFrames)),
                _ => Err(Unfit::Silent),
            }
        };
        let choice = Chooser::new(Encoder::Auto).candidates().first_that_works(outcome).expect("one works");
        assert_eq!(choice.to_string(), "v4l2 (v4l2h264enc)");
        assert_eq!(tried, ["vah264lpenc", "vah264enc", "nvh264enc", "nvv4l2h264enc", "v4l2h264enc"]);
        let why = choice.refused().to_string();
        assert!(why.contains("vah264enc: it gave nothing for 10s; nvh264enc: it refers to pictures"), "{why}");
    }

    #[test]
    fn one_that_is_named_is_the_only_one_that_is_tried() {
        let mut chooser = Chooser::new(Encoder::Vaapi);
        let error = chooser.candidates().first_that_works(silent).expect_err("none works").to_string();
        assert!(error.contains("encoder is \"vaapi\"") && error.contains("\"auto\""), "{error}");
        assert!(error.contains("vah264lpenc: it gave") && !error.contains("x264enc"), "{error}");
        let kind = Chooser::new(Encoder::X264).candidates().first_that_works(|_| Ok(())).expect("it works").kind;
        chooser.settle(Some(kind));
        for _ in 0..9 {
            assert!(!chooser.failed(true, Duration::ZERO), "it is what somebody wants");
        }
    }

    #[test]
    fn waiting_helps_where_a_driver_or_some_time_may_be_what_is_missing() {
        let is_misfit = |wish, why: fn(&'static Kind) -> Unfit| {
            Chooser::new(wish).candidates().first_that_works(|kind| Err(why(kind))).expect_err("none").is_misfit()
        };
        let missing = |kind: &'static Kind| Unfit::Broken(absent(kind.element.to_owned(), kind.package));
        assert!(is_misfit(Encoder::X264, missing));
        assert!(!is_misfit(Encoder::X264, |_| Unfit::Silent), "the machine is busy");
        for wish in [Encoder::Vaapi, Encoder::Nvenc, Encoder::Jetson, Encoder::V4l2, Encoder::Qsv, Encoder::Auto] {
            assert!(!is_misfit(wish, missing), "{wish}");
        }
    }

    #[test]
    fn where_none_works_each_reason_is_given() {
        let error = Chooser::new(Encoder::Auto).candidates().first_that_works(|_| Err(Unfit::Stuck)).expect_err("none");
        let text = error.to_string();
        assert!(KINDS.iter().all(|kind| text.contains(&format!("{}: it does not stop", kind.element))), "{text}");
    }

    #[test]
    fn one_that_fails_twice_in_a_row_is_passed_over_until_all_are() {
        let mut chooser = Chooser::new(Encoder::Auto);
        let choose = |chooser: &mut Chooser, works: &[&str]| {
            let outcome = |kind: &'static Kind| if works.contains(&kind.element) { Ok(()) } else { Err(Unfit::Silent) };
            let choice = chooser.candidates().first_that_works(outcome).ok().map(|choice| choice.kind);
            chooser.settle(choice);
            choice.map(|kind| kind.element)
        };
        let works = ["nvh264enc", "x264enc"];
        assert_eq!(choose(&mut chooser, &works), Some("nvh264enc"));
        let second = Duration::from_secs(1);
        assert!(!chooser.failed(true, second));
        assert!(!chooser.failed(false, second), "the camera's own failure comes between");
        assert!(!chooser.failed(true, second));
        assert!(!chooser.failed(true, SOON), "it was well meanwhile");
        assert!(chooser.failed(true, second));
        assert_eq!(chooser.chosen().map(|kind| kind.element), None);
        assert_eq!(choose(&mut chooser, &works), Some("x264enc"));
        assert!(!chooser.failed(true, second) && chooser.failed(true, second));
        assert_eq!(choose(&mut chooser, &works), None, "there is no other");
        assert_eq!(choose(&mut chooser, &works), Some("nvh264enc"), "all begins anew");
    }
}
