//! Prometheus' text format, version 0.0.4.
//!
//! Written out here, as the figures have an owner of their own: the crates for this keep each number in a registry of theirs,
//! with locks and atomics, and would be used for little more than the lines below.

use std::fmt::Write;

use super::Histogram;

pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Debug, Default)]
pub(crate) struct Text(String);

/// One metric, of which there may be any number of samples.
pub(crate) struct Family<'a> {
    text: &'a mut Text,
    name: &'static str,
}

pub(crate) type Labels<'a> = &'a [(&'static str, &'a str)];

impl Text {
    pub(crate) fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> Family<'_> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let help = help.replace('\\', r"\\").replace('\n', r"\n");
        self.line(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
        Family { text: self, name }
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("writing to a string cannot fail");
    }
}

impl Family<'_> {
    pub(crate) fn sample(&mut self, labels: Labels<'_>, value: f64) {
        let (name, labels) = (self.name, write_labels(labels, None));
        self.text.line(format_args!("{name}{labels} {}", number(value)));
    }

    /// The same for what is counted: no float has to hold it.
    pub(crate) fn count(&mut self, labels: Labels<'_>, count: u64) {
        let (name, labels) = (self.name, write_labels(labels, None));
        self.text.line(format_args!("{name}{labels} {count}"));
    }

    pub(crate) fn histogram(&mut self, labels: Labels<'_>, histogram: &Histogram) {
        let name = self.name;
        for (bound, count) in histogram.cumulative() {
            let labels = write_labels(labels, Some(&number(bound)));
            self.text.line(format_args!("{name}_bucket{labels} {count}"));
        }
        let labels = write_labels(labels, None);
        self.text.line(format_args!("{name}_sum{labels} {}", number(histogram.sum())));
        self.text.line(format_args!("{name}_count{labels} {}", histogram.count()));
    }
}

fn write_labels(labels: Labels<'_>, bound: Option<&str>) -> String {
    let all: Vec<String> = labels
        .iter()
        .copied()
        .chain(bound.map(|bound| ("le", bound)))
        .map(|(name, value)| format!("{name}=\"{}\"", escape(value)))
        .collect();
    if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
}

fn escape(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

fn number(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_label_says_stays_in_its_line() {
        let mut text = Text::default();
        let mut family = text.family("panocast_x", Kind::Gauge, "One\\two\nthree.");
        family.sample(&[("a", "say \"hi\"\\\n"), ("b", "")], 0.25);
        family.sample(&[], 3.0);
        family.count(&[], u64::MAX);
        assert_eq!(
            text.finish(),
            concat!(
                "# HELP panocast_x One\\\\two\\nthree.\n# TYPE panocast_x gauge\n",
                "panocast_x{a=\"say \\\"hi\\\"\\\\\\n\",b=\"\"} 0.25\npanocast_x 3\npanocast_x 18446744073709551615\n",
            )
        );
    }

    #[test]
    fn a_histogram_ends_with_infinity_which_is_all() {
        let mut histogram = Histogram::new(&[0.5]);
        histogram.observe(0.25);
        histogram.observe(4.0);
        let mut text = Text::default();
        text.family("x", Kind::Histogram, "").histogram(&[("robot", "demo")], &histogram);
        let lines: Vec<String> = text.finish().lines().skip(2).map(str::to_owned).collect();
        assert_eq!(
            lines,
            [
                r#"x_bucket{robot="demo",le="0.5"} 1"#,
                r#"x_bucket{robot="demo",le="+Inf"} 2"#,
                r#"x_sum{robot="demo"} 4.25"#,
                r#"x_count{robot="demo"} 2"#,
            ]
        );
    }
}
