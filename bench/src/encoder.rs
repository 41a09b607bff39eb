//! Everything that runs on the robot: the drawn camera, its encoder, and the fan-out to a hundred viewers.

use std::{thread, time::Duration};

use broadcaster::config::Camera;

use crate::{
    crowd::Crowd,
    machine,
    report::{self, Report},
};

const VIEWERS: usize = 100;
const TIME: Duration = Duration::from_secs(10);

/// Threads that use less than this of a core are counted together.
const SMALL: f64 = 2.0;

pub(crate) fn run(camera: &Camera, viewers_core: usize, report: &mut Report) -> anyhow::Result<()> {
    let mut crowd = Crowd::live(camera, viewers_core)?;
    crowd.ask(VIEWERS)?;
    crowd.wait(|| {})?;
    crowd.feedback(true)?;
    thread::sleep(Duration::from_secs(2));
    let (threads, before) = (machine::threads_cpu()?, crowd.count()?);
    thread::sleep(TIME);
    let (after, count) = (machine::threads_cpu()?, crowd.count()?.since(before));
    let mut rest = 0.0;
    let mut table = Vec::new();
    for (name, time) in &after {
        let time = time.saturating_sub(threads.get(name).copied().unwrap_or_default());
        let millis = time.as_secs_f64() * 1000.0 / TIME.as_secs_f64();
        if millis < SMALL {
            rest += millis;
            continue;
        }
        report.add(format!("encoder/{VIEWERS}/{name}"), &[millis], "ms/s");
        table.push(vec![name.clone(), format!("{millis:.0}")]);
    }
    report.add(format!("encoder/{VIEWERS}/others"), &[rest], "ms/s");
    table.push(vec!["others".to_owned(), format!("{rest:.0}")]);
    println!(
        "\n  with camera and encoder ({}×{}, {} fps), {VIEWERS} viewers, {} packets each a second, {} lost: ms a second\n",
        camera.width,
        camera.height,
        camera.fps,
        count.media.packets / VIEWERS as u64 / TIME.as_secs(),
        count.media.missing,
    );
    report::print(&table);
    crowd.stop()
}
