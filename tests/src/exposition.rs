//! Prometheus' text format, read as strictly as it is specified, and a little more: what this project promises of its
//! metrics is checked as well.

use std::collections::{BTreeMap, BTreeSet};

/// All that was said on one page.
#[derive(Debug, Default)]
pub struct Exposition {
    kinds: BTreeMap<String, String>,
    samples: BTreeMap<Series, f64>,
}

/// A name and its labels.
type Series = (String, BTreeMap<String, String>);

impl Exposition {
    /// Or what is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut page = Self::default();
        let mut helped = BTreeSet::new();
        let mut family = None;
        if !text.ends_with('\n') {
            return Err("the last line has no end".to_owned());
        }
        for line in text.lines() {
            let at = |what: &str| format!("{what}: {line:?}");
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').ok_or_else(|| at("no help"))?;
                if !is_name(name) || !helped.insert(name.to_owned()) || help.is_empty() {
                    return Err(at("a bad name, one that was there before, or no help"));
                }
                unescape(help, false).ok_or_else(|| at("a bad escape"))?;
                family = None;
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').ok_or_else(|| at("no type"))?;
                let follows = helped.contains(name) && !page.kinds.contains_key(name);
                if !follows || !["counter", "gauge", "histogram"].contains(&kind) {
                    return Err(at("no help before it, a second type, or none that is known"));
                }
                if !name.starts_with("panocast_") || (kind == "counter") != name.ends_with("_total") {
                    return Err(at("not as this project names its metrics"));
                }
                page.kinds.insert(name.to_owned(), kind.to_owned());
                family = Some((name.to_owned(), kind.to_owned()));
            } else {
                let (family, kind) = family.as_ref().ok_or_else(|| at("a sample outside its family"))?;
                let (series, value) = sample(line).ok_or_else(|| at("no sample"))?;
                let suffixes: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
                if !suffixes.iter().any(|suffix| series.0 == format!("{family}{suffix}")) {
                    return Err(at("a sample of another family"));
                }
                if value.is_nan() || kind != "gauge" && value < 0.0 {
                    return Err(at("no number, or one that cannot be"));
                }
                if page.samples.insert(series, value).is_some() {
                    return Err(at("the same series again"));
                }
            }
        }
        if helped.len() != page.kinds.len() {
            return Err("a help without a type".to_owned());
        }
        page.check_histograms()?;
        Ok(page)
    }

    /// The sample with exactly these labels.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.samples.get(&(name.to_owned(), labels)).copied()
    }

    /// How many series there are that have this label.
    pub fn count(&self, name: &str, value: &str) -> usize {
        self.samples.keys().filter(|(_, labels)| labels.get(name).is_some_and(|other| other == value)).count()
    }

    pub fn families(&self) -> impl Iterator<Item = &str> {
        self.kinds.keys().map(String::as_str)
    }

    /// Buckets rise to infinity, which is the count; and there is a sum.
    fn check_histograms(&self) -> Result<(), String> {
        for (name, _) in self.kinds.iter().filter(|(_, kind)| *kind == "histogram") {
            let mut buckets: BTreeMap<BTreeMap<String, String>, Vec<(f64, f64)>> = BTreeMap::new();
            for ((_, labels), value) in self.samples.iter().filter(|((other, _), _)| *other == format!("{name}_bucket"))
            {
                let mut labels = labels.clone();
                let bound = labels.remove("le").and_then(|bound| number(&bound));
                buckets.entry(labels).or_default().push((bound.ok_or(format!("{name}: a bucket without le"))?, *value));
            }
            for (labels, buckets) in &mut buckets {
                buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
                let rises = buckets.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
                let of = |suffix| self.samples.get(&(format!("{name}{suffix}"), labels.clone())).copied();
                let last = buckets.last().filter(|(bound, _)| bound.is_infinite()).map(|(_, count)| *count);
                if !rises || last.is_none() || last != of("_count") || of("_sum").is_none() {
                    return Err(format!("{name} {labels:?} is no histogram: {buckets:?}"));
                }
            }
            let wholes = self.samples.keys().filter(|(other, _)| *other == format!("{name}_count")).count();
            if wholes != buckets.len() {
                return Err(format!("{name}: a count without buckets"));
            }
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|other| other.is_ascii_alphanumeric() || other == '_')
}

fn sample(line: &str) -> Option<(Series, f64)> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, quoted) = rest.split_once("=\"")?;
            let close = quoted.char_indices().find(|(at, other)| *other == '"' && !is_escaped(&quoted[..*at]))?.0;
            let value = unescape(&quoted[..close], true)?;
            if !is_name(label) || labels.insert(label.to_owned(), value).is_some() {
                return None;
            }
            rest = &quoted[close + 1..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}')?;
    }
    let value = number(rest.strip_prefix(' ')?)?;
    is_name(name).then_some(((name.to_owned(), labels), value))
}

fn is_escaped(before: &str) -> bool {
    before.chars().rev().take_while(|other| *other == '\\').count() % 2 == 1
}

fn unescape(text: &str, quotes: bool) -> Option<String> {
    let (mut out, mut rest) = (String::new(), text.chars());
    while let Some(next) = rest.next() {
        match next {
            '\\' => out.push(match rest.next()? {
                '\\' => '\\',
                'n' => '\n',
                '"' if quotes => '"',
                _ => return None,
            }),
            other => out.push(other),
        }
    }
    Some(out)
}

/// Rust takes some words for numbers that Prometheus does not.
fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        other if other.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) => other.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "# HELP panocast_x Help.\n# TYPE panocast_x gauge\n";
    const HISTOGRAM: &str = "# HELP panocast_h Help.\n# TYPE panocast_h histogram\n\
        panocast_h_bucket{le=\"1\"} 2\npanocast_h_bucket{le=\"+Inf\"} 3\npanocast_h_sum 4\npanocast_h_count 3\n";

    #[test]
    fn what_is_right_is_read() {
        let page = Exposition::parse(&format!("{HEAD}panocast_x{{a=\"x\\\"\\\\\\n,}}\",b=\"\"}} 1.5e3\n{HISTOGRAM}"));
        let page = page.expect("well-formed");
        assert_eq!(page.value("panocast_x", &[("a", "x\"\\\n,}"), ("b", "")]), Some(1500.0));
        assert_eq!(page.value("panocast_h_count", &[]), Some(3.0));
        assert_eq!((page.count("b", ""), page.families().count()), (1, 2));
    }

    #[test]
    fn what_is_wrong_is_not() {
        let with = |line: &str| format!("{HEAD}{line}\n");
        for bad in [
            "panocast_x 1\n".to_owned(),
            format!("{HEAD}panocast_x 1"),
            with("panocast_y 1"),
            with("panocast_x one"),
            with("panocast_x inf"),
            with("panocast_x{a=\"1\"}"),
            with("panocast_x{a=1} 1"),
            with("panocast_x{a=\"\\q\"} 1"),
            with("panocast_x{a=\"1\",a=\"2\"} 1"),
            with("panocast_x{a=\"1\n\"} 1"),
            with("panocast_x 1\npanocast_x 2"),
            with(""),
            HEAD.replace("# HELP panocast_x Help.\n", ""),
            HEAD.replace("gauge", "counter"),
            HEAD.replace("panocast_x", "x"),
            format!("{HEAD}{HEAD}"),
            HISTOGRAM.replace("le=\"1\"} 2", "le=\"1\"} 9"),
            HISTOGRAM.replace("panocast_h_count 3", "panocast_h_count 2"),
            HISTOGRAM.replace("panocast_h_sum 4\n", ""),
            HISTOGRAM.replace("panocast_h_bucket{le=\"+Inf\"} 3\n", ""),
            HISTOGRAM.replace("_sum 4", "_sum -4"),
        ] {
            assert!(Exposition::parse(&bad).is_err(), "{bad}");
        }
    }
}
