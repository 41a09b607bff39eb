//! A run as a picture: what came, how large, how often and how late, over time.

use std::fmt::Write;

use crate::{
    sight::{Millis, Sight, Span},
    verdict::Outcome,
};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 60.0;
const STRIP: f64 = 90.0;
const GAP: f64 = 24.0;

/// So much time makes one point of a rate.
const BIN: f64 = 500.0;

/// One curve, and how high it may go.
struct Strip {
    name: &'static str,
    unit: &'static str,
    points: Vec<(Millis, f64)>,
    /// What the axis shows at least.
    least: f64,
}

pub(super) fn of(title: &str, outcome: &Outcome) -> String {
    let Outcome { sight, marks, span, .. } = outcome;
    let strips = strips(sight, *span);
    let height = TOP + strips.len() as f64 * (STRIP + GAP) + 20.0;
    let x = |at: Millis| LEFT + (at - span.from) / (span.to - span.from).max(1.0) * (WIDTH - LEFT - RIGHT);
    let bottom = height - 20.0 - GAP;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\" fill=\"#333\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"20\" font-size=\"15\" font-weight=\"bold\">{}</text>\n",
        escaped(title)
    );
    for pause in sight.pauses(*span) {
        let (from, to) = (x(pause.from), x(pause.to));
        let _ = writeln!(
            svg,
            "<rect x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"#fbd5d5\"/>",
            to - from,
            bottom - TOP
        );
    }
    for (index, strip) in strips.iter().enumerate() {
        draw(&mut svg, strip, TOP + index as f64 * (STRIP + GAP), &x);
    }
    for (index, mark) in marks.iter().enumerate() {
        let (at, label) = (x(mark.at), 36.0 + 14.0 * (index % 2) as f64);
        let _ = writeln!(
            svg,
            "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{:.1}\" y2=\"{bottom:.1}\" stroke=\"#555\" stroke-dasharray=\"3 3\"/>\
             <text x=\"{:.1}\" y=\"{label}\">{}</text>",
            label + 3.0,
            at + 3.0,
            escaped(&mark.what)
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{:.1}\">0 s</text><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.0} s; red: no new \
         picture</text>\n</svg>",
        height - 10.0,
        WIDTH - RIGHT,
        height - 10.0,
        (span.to - span.from) / 1000.0
    );
    svg
}

fn strips(sight: &Sight, span: Span) -> Vec<Strip> {
    let bins = ((span.to - span.from) / BIN).ceil() as usize;
    let bins = (0..bins).map(|bin| {
        let from = span.from + bin as f64 * BIN;
        Span::new(from, (from + BIN).min(span.to))
    });
    let rate = |of: &dyn Fn(Span) -> f64| bins.clone().map(|bin| (bin.from, of(bin))).collect();
    let samples = || sight.samples.iter().filter(|sample| (span.from..span.to).contains(&sample.at));
    let shown = |bin: Span| {
        let before = |at: Millis| sight.frames.partition_point(|frame| *frame < at);
        (before(bin.to) - before(bin.from)) as f64 * 1000.0 / BIN
    };
    vec![
        Strip { name: "bitrate", unit: "Mbit/s", points: rate(&|bin| sight.bitrate(bin) / 1e6), least: 1.0 },
        Strip {
            name: "width",
            unit: "px",
            points: samples().map(|sample| (sample.at, f64::from(sample.width))).collect(),
            least: 480.0,
        },
        Strip { name: "pictures", unit: "per s", points: rate(&shown), least: 30.0 },
        Strip {
            name: "delay",
            unit: "ms",
            points: samples().filter_map(|sample| Some((sample.at, sample.delay?))).collect(),
            least: 100.0,
        },
    ]
}

fn draw(svg: &mut String, strip: &Strip, top: f64, x: &dyn Fn(Millis) -> f64) {
    let most = strip.points.iter().map(|(_, value)| *value).fold(strip.least, f64::max);
    let y = |value: f64| top + STRIP - value.max(0.0) / most * STRIP;
    let base = top + STRIP;
    let points: String = strip.points.iter().map(|(at, value)| format!("{:.1},{:.1} ", x(*at), y(*value))).collect();
    let _ = writeln!(
        svg,
        "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{base}\" y2=\"{base}\" stroke=\"#bbb\"/>\
         <text x=\"8\" y=\"{:.1}\" font-weight=\"bold\">{}</text><text x=\"8\" y=\"{:.1}\">{}</text>\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
         <polyline points=\"{points}\" fill=\"none\" stroke=\"#1769aa\" stroke-width=\"1.5\"/>",
        WIDTH - RIGHT,
        top + 14.0,
        strip.name,
        top + 30.0,
        strip.unit,
        LEFT - 6.0,
        top + 10.0,
        if most < 10.0 { format!("{most:.1}") } else { format!("{most:.0}") },
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{sight::Sample, stage::Length, verdict::Mark};

    #[test]
    fn a_drawing_has_a_curve_for_each_and_a_word_for_each_mark() {
        let samples = (0..50).map(|number| Sample { at: f64::from(number) * 200.0, width: 960, ..Sample::default() });
        let sight = Sight { samples: samples.collect(), ..Sight::default() };
        let marks = vec![Mark { at: 3000.0, what: "1 < 2 Mbit/s".to_owned() }];
        let svg = of("a title", &Outcome::new(Length::Full, sight, Span::new(0.0, 10_000.0), marks));
        assert_eq!(svg.matches("<polyline").count(), 4);
        assert!(svg.contains("1 &lt; 2 Mbit/s") && svg.contains("a title") && !svg.contains("NaN"), "{svg}");
    }
}
