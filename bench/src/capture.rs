//! What a camera costs, in processor time: three qualities of the drawn scene in H.264 the product's way, beside the same
//! three encoders fed from memory; and H.264 that is sent on as it comes.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use broadcaster::{
    bench::{Captured, Encoders, make_film},
    config::{Camera, Source},
};

use crate::{
    machine,
    report::{self, Report, median},
};

/// Encoders begin with keyframes.
const WARM_UP: Duration = Duration::from_secs(2);
const TIME: Duration = Duration::from_secs(6);

/// The thread that draws the scene, which a real camera has no need of.
const PAINTER: &str = "scene";

pub(crate) fn run(rounds: usize, target: &Path) -> anyhow::Result<()> {
    let camera = Camera::synthetic("main".parse()?);
    let mut report = Report::default();
    println!("{}; {rounds} rounds of {TIME:?} each\n", machine::name());
    let (mut ours, mut floor, mut painter) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (own, drawn) = captured(&camera)?;
        ours.push(own);
        painter.push(drawn);
        floor.push(encoders(&camera)?);
    }
    let (ratio, own, floor) = report.compare("capture/x264", &ours, &floor, "ms/picture");
    let mut table =
        vec![["ms a picture, all three qualities", "ours", "encoders", "ratio"].map(str::to_owned).to_vec()];
    let size = format!("{}×{}, {} fps, x264", camera.width, camera.height, camera.fps);
    table.push(vec![size, format!("{own:.2}"), format!("{floor:.2}"), format!("{ratio:.2}")]);
    table.push(vec!["drawing the scene, not counted".to_owned(), format!("{:.2}", median(&painter))]);
    report::print(&table);
    let film = target.join("bench/film.mkv");
    std::fs::create_dir_all(target.join("bench"))?;
    let seconds = (WARM_UP + TIME).as_secs() + 5;
    make_film(&film, &camera, u32::try_from(seconds)?).context("make a film")?;
    let passed: Vec<(f64, f64)> = (0..rounds).map(|_| passthrough(&camera, &film)).collect::<anyhow::Result<_>>()?;
    std::fs::remove_file(&film)?;
    let (cores, bitrates): (Vec<f64>, Vec<f64>) = passed.into_iter().unzip();
    report.add("capture/passthrough", &cores, "% of a core");
    println!("\n  sent on as it comes, {:.2} Mbit/s: {:.2} % of a core", median(&bitrates), median(&cores));
    let path = target.join("bench/capture.json");
    report.write(&path)?;
    println!("\n{}", path.display());
    Ok(())
}

/// Milliseconds of processor time per picture of the camera: everything but the painter, and the painter.
fn captured(camera: &Camera) -> anyhow::Result<(f64, f64)> {
    let captured = Captured::start(camera.clone())?;
    thread::sleep(WARM_UP);
    let qualities = camera.info(&[]).video.rungs.len() as f64;
    let (before, threads, (pictures, _)) = (machine::process_cpu()?, machine::threads_cpu()?, captured.count());
    thread::sleep(TIME);
    let (after, threads_after, (more, _)) = (machine::process_cpu()?, machine::threads_cpu()?, captured.count());
    captured.stop()?;
    let painter = |threads: &std::collections::BTreeMap<String, Duration>| threads.get(PAINTER).copied();
    let drawn = painter(&threads_after).context("a painter")? - painter(&threads).context("a painter")?;
    let pictures = (more - pictures) as f64 / qualities;
    anyhow::ensure!(pictures > 0.9 * TIME.as_secs_f64() * f64::from(camera.fps), "the machine is too busy: {pictures}");
    let millis = |time: Duration| time.as_secs_f64() * 1000.0 / pictures;
    Ok((millis((after - before).saturating_sub(drawn)), millis(drawn)))
}

/// The same of the encoders alone.
fn encoders(camera: &Camera) -> anyhow::Result<f64> {
    let encoders = Encoders::start(camera)?;
    thread::sleep(WARM_UP);
    let qualities = camera.info(&[]).video.rungs.len() as f64;
    let (before, pictures) = (machine::process_cpu()?, encoders.count());
    thread::sleep(TIME);
    let (after, more) = (machine::process_cpu()?, encoders.count());
    encoders.stop()?;
    Ok((after - before).as_secs_f64() * 1000.0 * qualities / (more - pictures) as f64)
}

/// The share of a core that it takes to send on what comes encoded, in percent, and how many Mbit/s that was.
fn passthrough(camera: &Camera, film: &Path) -> anyhow::Result<(f64, f64)> {
    let description =
        format!("filesrc location={} ! matroskademux ! h264parse ! clocksync", film.to_str().context("a path")?);
    let camera = Camera { source: Source::Pipeline { description, passthrough: true }, ..camera.clone() };
    let captured = Captured::start(camera)?;
    thread::sleep(WARM_UP);
    #[expect(clippy::disallowed_methods, reason = "the bench's clock")]
    let now = Instant::now;
    let (before, (_, bytes), began) = (machine::process_cpu()?, captured.count(), now());
    thread::sleep(TIME);
    let (after, (_, more), took) = (machine::process_cpu()?, captured.count(), began.elapsed().as_secs_f64());
    captured.stop()?;
    let bitrate = (more - bytes) as f64 * 8.0 / took / 1e6;
    anyhow::ensure!(bitrate > 0.0, "no pictures came");
    Ok(((after - before).as_secs_f64() / took * 100.0, bitrate))
}
