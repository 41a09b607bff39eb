//! What a scenario comes to: lines that hold or do not.

use std::fmt;

use serde::Serialize;

use crate::{
    sight::{Millis, Sight, Span},
    stage::Length,
};

/// A figure with its unit.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    Share(f64),
    Millis(f64),
    Count(f64),
    Bytes(f64),
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Floats know a nothing that is less than nothing.
            Self::Share(share) => write!(f, "{:.1} %", (share * 1000.0).round() / 10.0 + 0.0),
            Self::Millis(millis) if *millis >= 1000.0 => write!(f, "{:.1} s", millis / 1000.0),
            Self::Millis(millis) => write!(f, "{millis:.0} ms"),
            Self::Count(count) => write!(f, "{count:.0}"),
            Self::Bytes(bytes) if *bytes >= 1e6 => write!(f, "{:.1} MB", bytes / 1e6),
            Self::Bytes(bytes) => write!(f, "{bytes:.0} bytes"),
        }
    }
}

/// One line of a scenario, and what was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Judged {
    pub what: String,
    pub bound: Bound,
    pub limit: Figure,
    /// None: there was nothing to measure.
    pub got: Option<Figure>,
    /// Whether it counts; what depends on how fast a machine is does not in a short run.
    pub counts: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    AtLeast,
    AtMost,
    Exactly,
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match (self.holds(), self.counts) {
            (true, _) => "   ",
            (false, true) => "!! ",
            (false, false) => " ! ",
        };
        let bound = match self.bound {
            Bound::AtLeast => "at least",
            Bound::AtMost => "at most",
            Bound::Exactly => "exactly",
        };
        let got = self.got.map_or("nothing was seen".to_owned(), |got| got.to_string());
        write!(f, "{sign}{}: {got} ({bound} {})", self.what, self.limit)
    }
}

impl Judged {
    pub fn holds(&self) -> bool {
        let got = self.got.as_ref();
        match self.bound {
            Bound::AtLeast => got.is_some_and(|got| *got >= self.limit),
            Bound::AtMost => got.is_some_and(|got| *got <= self.limit),
            Bound::Exactly => got.is_some_and(|got| *got == self.limit),
        }
    }
}

/// What somebody noted while the scenario played.
#[derive(Clone, Debug, Serialize)]
pub struct Mark {
    pub at: Millis,
    pub what: String,
}

/// All that one run gave.
#[derive(Debug, Serialize)]
pub struct Outcome {
    pub lines: Vec<Judged>,
    /// Those that every scenario has.
    pub everywhere: Vec<Judged>,
    pub marks: Vec<Mark>,
    pub span: Span,
    #[serde(skip)]
    pub sight: Sight,
    #[serde(skip)]
    length: Length,
}

impl Outcome {
    pub fn new(length: Length, sight: Sight, span: Span, marks: Vec<Mark>) -> Self {
        Self { lines: Vec::new(), everywhere: Vec::new(), marks, span, sight, length }
    }

    pub fn holds(&self) -> bool {
        self.lines.iter().chain(&self.everywhere).all(|line| line.holds() || !line.counts)
    }

    /// How long after an instant pictures flowed again; on a slow machine a few of them do.
    pub fn flows_after(&self, at: Millis) -> Option<f64> {
        self.sight.flows_after(at, if self.length == Length::Full { 10 } else { 2 })
    }

    /// What has been judged so far is what every scenario has.
    pub fn was_everywhere(&mut self) {
        self.everywhere.append(&mut self.lines);
    }

    /// Milliseconds; in a short run the latter, which is for ever.
    pub fn within(&mut self, what: &str, got: Option<f64>, limit: f64, ever: f64) {
        let limit = if self.length == Length::Full { limit } else { ever };
        self.at_most(what, got.map(Figure::Millis), Figure::Millis(limit));
    }

    /// On any machine.
    pub fn at_most(&mut self, what: &str, got: impl Into<Option<Figure>>, limit: Figure) {
        self.judge(what, Bound::AtMost, got.into(), limit, true);
    }

    pub fn at_least(&mut self, what: &str, got: impl Into<Option<Figure>>, limit: Figure) {
        self.judge(what, Bound::AtLeast, got.into(), limit, true);
    }

    /// On one that has the time for it.
    pub fn fast_at_most(&mut self, what: &str, got: impl Into<Option<Figure>>, limit: Figure) {
        self.judge(what, Bound::AtMost, got.into(), limit, self.length == Length::Full);
    }

    pub fn fast_at_least(&mut self, what: &str, got: impl Into<Option<Figure>>, limit: Figure) {
        self.judge(what, Bound::AtLeast, got.into(), limit, self.length == Length::Full);
    }

    /// At least the one share, or in a short run the other.
    pub fn share(&mut self, what: &str, got: f64, limit: f64, ever: f64) {
        let limit = if self.length == Length::Full { limit } else { ever };
        self.at_least(what, Figure::Share(got), Figure::Share(limit));
    }

    /// As often as it should have happened.
    pub fn exactly(&mut self, what: &str, got: usize, times: usize) {
        let [got, limit] = [got, times].map(|count| Figure::Count(count as f64));
        self.judge(what, Bound::Exactly, Some(got), limit, true);
    }

    fn judge(&mut self, what: &str, bound: Bound, got: Option<Figure>, limit: Figure, counts: bool) {
        self.lines.push(Judged { what: what.to_owned(), bound, limit, got, counts });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_up_to_its_limit_and_not_without_a_figure() {
        let mut outcome = Outcome::new(Length::Full, Sight::default(), Span::new(0.0, 1.0), Vec::new());
        outcome.at_most("freezes", Figure::Share(0.01), Figure::Share(0.01));
        outcome.exactly("sessions", 1, 1);
        assert!(outcome.holds());
        outcome.at_most("nothing seen", None, Figure::Millis(5.0));
        assert!(!outcome.holds());
    }

    #[test]
    fn in_a_short_run_speed_is_measured_and_not_judged() {
        let mut outcome = Outcome::new(Length::Short, Sight::default(), Span::new(0.0, 1.0), Vec::new());
        outcome.fast_at_least("frames", Figure::Share(0.5), Figure::Share(0.95));
        assert!(outcome.holds() && !outcome.lines[0].holds());
        outcome.within("a picture again", Some(6000.0), 5000.0, 20_000.0);
        assert!(outcome.lines[1].holds());
        outcome.exactly("sessions", 2, 1);
        outcome.was_everywhere();
        assert!(!outcome.holds());
    }

    #[test]
    fn figures_read_as_people_write_them() {
        let all = [Figure::Share(0.0123), Figure::Millis(120.4), Figure::Millis(5200.0), Figure::Count(3.0)];
        assert_eq!(all.map(|figure| figure.to_string()), ["1.2 %", "120 ms", "5.2 s", "3"]);
        assert_eq!([93.2, 2e6].map(|bytes| Figure::Bytes(bytes).to_string()), ["93 bytes", "2.0 MB"]);
        // What floats make of nothing.
        assert_eq!(Figure::Share(-0.0).to_string(), "0.0 %");
    }
}
