//! Many who join at once: how long until the last of them gets a packet, and whose time that was.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, SystemTime},
};

use broadcaster::config::Camera;

use crate::{
    crowd::Crowd,
    machine,
    report::{Report, median},
    rounds::{Reel, at_rate},
};

const VIEWERS: usize = 50;
const FPS: u32 = 30;

/// Enough for all to join, on any machine that is not overwhelmed.
const PICTURES: usize = 15;

/// The robot and the receiver have said their goodbyes.
const GONE: Duration = Duration::from_millis(300);

/// Milliseconds.
#[derive(Default)]
struct Joins {
    all: Vec<f64>,
    fanout: Vec<f64>,
    relay: Vec<f64>,
    receiver: Vec<f64>,
}

pub(crate) fn run(camera: &Camera, viewers_core: usize, rounds: usize, report: &mut Report) -> anyhow::Result<()> {
    let reel = Reel::new();
    let (mut crowd, lens) = Crowd::fed(camera, viewers_core)?;
    let mut joins = Joins::default();
    // The first time finds everything cold.
    for round in 0..=rounds {
        let (threads, before) = (machine::threads_cpu()?, crowd.count()?);
        lens.show(&reel.keyframe);
        let began = SystemTime::UNIX_EPOCH.elapsed()?.as_micros() as u64;
        crowd.ask(VIEWERS)?;
        // A picture goes on meanwhile, with a keyframe that is fresh enough for everybody.
        at_rate(FPS, PICTURES, |place| {
            lens.show(&reel.pictures[place]);
            Ok(())
        })?;
        let after = machine::threads_cpu()?;
        let count = crowd.wait(|| {
            lens.show(&reel.keyframe);
        })?;
        if round > 0 {
            joins.all.push(count.last_began.saturating_sub(began) as f64 / 1000.0);
            joins.fanout.push(spent(&threads, &after, &["fanout"]));
            joins.relay.push(spent(&threads, &after, &["offers", "answers", "bench"]));
            joins.receiver.push(count.since(before).cpu_micros as f64 / 1000.0);
        }
        crowd.leave()?;
        thread::sleep(GONE);
    }
    joins.report(report);
    crowd.stop()
}

/// Milliseconds of processor time.
fn spent(before: &BTreeMap<String, Duration>, after: &BTreeMap<String, Duration>, names: &[&str]) -> f64 {
    let time =
        |threads: &BTreeMap<String, Duration>| -> Duration { names.iter().filter_map(|name| threads.get(*name)).sum() };
    time(after).saturating_sub(time(before)).as_secs_f64() * 1000.0
}

impl Joins {
    fn report(&self, report: &mut Report) {
        let Self { all, fanout, relay, receiver } = self;
        report.add(format!("join/{VIEWERS}"), all, "ms");
        report.add(format!("join/{VIEWERS}/fan-out's cpu"), fanout, "ms");
        report.add(format!("join/{VIEWERS}/relay's cpu"), relay, "ms");
        report.add(format!("join/{VIEWERS}/receiver's cpu"), receiver, "ms");
        println!(
            "\n  {VIEWERS} viewers who join at once all get a packet within {:.0} ms (processor time in half a second, \
             media included: {:.0} ms the fan-out, {:.0} ms who passes offers and answers on, {:.0} ms the viewers)",
            median(all),
            median(fanout),
            median(relay),
            median(receiver)
        );
    }
}
