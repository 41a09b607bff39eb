//! Ever more viewers of one robot: what a packet costs, what a viewer's memory is, and what viewers cost who get nothing.

use std::{thread, time::Duration};

use anyhow::Context;
use broadcaster::config::Camera;

use crate::{
    crowd::{Crowd, MAX_VIEWERS},
    floor::Floor,
    machine,
    report::{self, Report, median},
    rounds::{Reel, Round, Scene, Sender},
};

/// Whose memory is only that of the allocator's granularity.
const FEW: usize = 100;
const IDLE: Duration = Duration::from_secs(10);
const IDLE_VIEWERS: usize = 100;

/// A receiver that is busier than this may lose what the sender has sent.
const MAX_LOAD: f64 = 0.85;
/// Pictures per second, where the receiver keeps up.
const FPS: [u32; 4] = [30, 15, 10, 5];

/// One number of viewers.
struct Level {
    viewers: usize,
    fps: u32,
    floor: Vec<Round>,
    /// Viewers that only receive, and such that report as browsers do.
    plain: Vec<Round>,
    reporting: Vec<Round>,
    resident_kib: f64,
}

pub(crate) fn run(
    camera: &Camera,
    viewers_core: usize,
    levels: &[usize],
    rounds: usize,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut scene = Scene::new(camera, viewers_core)?;
    let packets = &scene.reel.packets;
    let mean = packets.iter().sum::<usize>() as f64 / packets.len() as f64;
    // What the first viewer will find there, and what all of them share, is not theirs.
    scene.run_dry()?;
    let empty_kib = machine::resident()?;
    println!("\nper packet and viewer, processor time of the sender; {mean:.1} packets a picture\n");
    let head = [
        "viewers",
        "fps",
        "floor µs",
        "ours µs",
        "ratio",
        "reporting µs",
        "ratio",
        "KiB/viewer",
        "lost",
        "unheard",
        "unopened",
        "receiver",
    ];
    let mut table = vec![head.map(str::to_owned).to_vec()];
    let mut idle = None;
    for viewers in levels {
        let level = scene.measure(*viewers, rounds, empty_kib).with_context(|| format!("{viewers} viewers"))?;
        table.push(level.report(report));
        eprintln!("bench: {viewers} viewers are done");
        if *viewers == IDLE_VIEWERS {
            idle = Some(scene.idle()?);
        }
    }
    report::print(&table);
    if let Some(millis) = idle {
        report.add("idle/100", &[millis], "ms/s");
        println!("\n  {IDLE_VIEWERS} viewers who get nothing: {millis:.2} ms of processor time a second");
    }
    scene.crowd.stop()
}

/// One sender's rounds and nothing else.
pub(crate) fn repeat(
    camera: &Camera,
    viewers_core: usize,
    viewers: usize,
    sender: Sender,
    rounds: usize,
) -> anyhow::Result<()> {
    let mut scene = Scene::new(camera, viewers_core)?;
    scene.run_dry()?;
    scene.join(viewers)?;
    for _ in 0..rounds {
        let round = scene.round(sender, FPS[0])?;
        println!(
            "{:.3} µs a packet, {} packets lost, {} pictures skipped, {} reports",
            round.micros_per_packet(),
            round.lost(),
            round.skipped,
            round.reports
        );
    }
    println!("the robot's socket had no room for {} datagrams", scene.crowd.unheard()?);
    scene.crowd.stop()
}

impl Scene {
    fn new(camera: &Camera, viewers_core: usize) -> anyhow::Result<Self> {
        let reel = Reel::new();
        let floor = Floor::new(MAX_VIEWERS, &reel.pictures)?;
        let (crowd, lens) = Crowd::fed(camera, viewers_core)?;
        Ok(Self { crowd, lens, floor, reel })
    }

    fn measure(&mut self, viewers: usize, rounds: usize, empty_kib: u64) -> anyhow::Result<Level> {
        self.join(viewers - self.crowd.viewers())?;
        let fps = self.bearable_rate()?;
        let mut level =
            Level { viewers, fps, floor: Vec::new(), plain: Vec::new(), reporting: Vec::new(), resident_kib: 0.0 };
        for _ in 0..rounds {
            level.floor.push(self.round(Sender::Floor, fps)?);
            level.plain.push(self.round(Sender::FanOut { reports: false }, fps)?);
            level.reporting.push(self.round(Sender::FanOut { reports: true }, fps)?);
        }
        level.resident_kib = machine::resident()?.saturating_sub(empty_kib) as f64 / viewers as f64;
        Ok(level)
    }

    /// The highest rate at which the receiver has time to spare.
    fn bearable_rate(&mut self) -> anyhow::Result<u32> {
        for fps in FPS {
            let trial = self.round(Sender::FanOut { reports: true }, fps)?;
            if trial.overflowed == 0 && trial.receiver_load() < MAX_LOAD {
                return Ok(fps);
            }
            eprintln!(
                "bench: at {fps} pictures a second {} packets are lost, {} of them at the receiver, {} pictures skipped; \
                 the receiver is {:.0} % busy",
                trial.lost(),
                trial.overflowed,
                trial.skipped,
                100.0 * trial.receiver_load()
            );
        }
        Ok(FPS[FPS.len() - 1])
    }

    /// Milliseconds of processor time a second while nothing is captured.
    fn idle(&self) -> anyhow::Result<f64> {
        self.crowd.feedback(false)?;
        let before = machine::process_cpu()?;
        thread::sleep(IDLE);
        Ok((machine::process_cpu()? - before).as_secs_f64() * 1000.0 / IDLE.as_secs_f64())
    }
}

impl Level {
    fn report(&self, report: &mut Report) -> Vec<String> {
        let Self { viewers, fps, floor, plain, reporting, resident_kib } = self;
        let micros = |rounds: &[Round]| -> Vec<f64> { rounds.iter().map(Round::micros_per_packet).collect() };
        let (ratio, ours, least) = report.compare(format!("packet/{viewers}"), &micros(plain), &micros(floor), "µs");
        let (reporting_ratio, with_reports, _) =
            report.compare(format!("packet/{viewers}/reporting"), &micros(reporting), &micros(floor), "µs");
        let ours_all = || plain.iter().chain(reporting);
        let sent: u64 = ours_all().map(|round| round.expected).sum();
        let lost: u64 = ours_all().map(Round::lost).sum();
        let overflowed: u64 = ours_all().map(|round| round.overflowed).sum();
        let unsent: u64 = ours_all().map(Round::unsent).sum();
        let floor_lost: u64 = floor.iter().map(Round::lost).sum();
        let unopened: u64 = ours_all().map(|round| round.unopened).sum();
        let unheard: u64 = ours_all().map(|round| round.unheard).sum();
        let reports: u64 = reporting.iter().map(|round| round.reports).sum();
        let time: f64 = reporting.iter().map(|round| round.time.as_secs_f64()).sum();
        report.add(format!("lost/{viewers}"), &[lost as f64], "packets");
        report.add(format!("lost/{viewers}/at receiver"), &[overflowed as f64], "packets");
        report.add(format!("lost/{viewers}/unsent"), &[unsent as f64], "packets");
        report.add(format!("lost/{viewers}/floor"), &[floor_lost as f64], "packets");
        report.add(format!("sent/{viewers}"), &[sent as f64], "packets");
        report.add(format!("unopened/{viewers}"), &[unopened as f64], "packets");
        report.add(format!("unheard/{viewers}"), &[unheard as f64], "datagrams");
        report.add(format!("reports/{viewers}"), &[reports as f64 / time / *viewers as f64], "1/s");
        report.add(format!("fps/{viewers}"), &[f64::from(*fps)], "1/s");
        if *viewers >= FEW {
            report.add(format!("memory/{viewers}"), &[*resident_kib], "KiB");
        }
        let loads: Vec<f64> = reporting.iter().map(Round::receiver_load).collect();
        vec![
            viewers.to_string(),
            fps.to_string(),
            format!("{least:.2}"),
            format!("{ours:.2}"),
            format!("{ratio:.2}"),
            format!("{with_reports:.2}"),
            format!("{reporting_ratio:.2}"),
            if *viewers >= FEW { format!("{resident_kib:.0}") } else { "–".to_owned() },
            if lost == 0 {
                format!("0 of {sent}")
            } else {
                format!("{lost} of {sent}: {unsent} unsent, {overflowed} at the receiver")
            },
            unheard.to_string(),
            unopened.to_string(),
            format!("{:.0} %", 100.0 * median(&loads)),
        ]
    }
}
