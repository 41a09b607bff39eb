//! What programs hold while they run for long, and whether that grows.

use std::{fs, path::Path};

use ::tests::{Exposition, Footprint, Process};
use anyhow::Context;
use serde::Serialize;

use crate::stage::{PORT, Server, Stage};

/// What the server asks of whoever reads its figures.
pub const METRICS: &str = "[metrics]\ntoken = \"read-by-the-soak\"\n";

/// What both programs hold at one moment.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Held {
    /// Cycles, or milliseconds: what it may grow with.
    pub at: f64,
    pub server: Holding,
    pub robot: Holding,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Holding {
    pub resident: f64,
    pub descriptors: f64,
    pub threads: f64,
    pub tasks: f64,
}

impl Holding {
    fn new(footprint: Footprint, tasks: f64) -> Self {
        let Footprint { resident_kib, threads, descriptors } = footprint;
        let [threads, descriptors] = [threads, descriptors].map(|count| count as f64);
        Self { resident: resident_kib as f64 * 1024.0, descriptors, threads, tasks }
    }
}

/// Asks the kernel, and the programs themselves.
pub async fn held(stage: &Stage, server: &Server, robot: &Process, at: f64) -> anyhow::Result<Held> {
    let page = metrics(server).await?;
    let tasks = page.value("panocast_process_tasks", &[]).context("the server counts its tasks")?;
    let server = Holding::new(server.process.footprint()?, tasks);
    let robot = Holding::new(robot.footprint()?, last_tasks(&stage.folder.join("broadcaster.log"))?);
    Ok(Held { at, server, robot })
}

/// All that the server says of itself.
pub async fn metrics(server: &Server) -> anyhow::Result<Exposition> {
    let address = server.uplink.address;
    let ask = async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect((address, PORT)).await?;
        let head = "Authorization: Bearer read-by-the-soak\r\nConnection: close\r\n";
        stream.write_all(format!("GET /metrics HTTP/1.0\r\nHost: {address}:{PORT}\r\n{head}\r\n").as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        anyhow::Ok(answer)
    };
    let answer = server.place.run(ask).await??;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer has a body")?;
    anyhow::ensure!(head.starts_with("HTTP/1.0 200") || head.starts_with("HTTP/1.1 200"), "{head}");
    Exposition::parse(body).map_err(|wrong| anyhow::anyhow!(wrong))
}

/// As a robot has logged last.
fn last_tasks(log: &Path) -> anyhow::Result<f64> {
    let log = fs::read_to_string(log)?;
    let said = log.lines().rev().find_map(|line| line.split_once("tasks=")).map(|(_, rest)| rest);
    let number = said.and_then(|rest| rest.split(|other: char| !other.is_ascii_digit()).next());
    Ok(number.context("the robot counts its tasks")?.parse()?)
}

/// By how much something grows with each step along, by the straight line that is nearest to all points.
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (along, height) = (mean(|point| point.0), mean(|point| point.1));
    let together: f64 = points.iter().map(|(x, y)| (x - along) * (y - height)).sum();
    let spread: f64 = points.iter().map(|(x, _)| (x - along).powi(2)).sum();
    if spread > 0.0 { together / spread } else { 0.0 }
}

/// What lies in the middle of them.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_has_a_slope_and_what_only_wavers_has_none() {
        let grows: Vec<(f64, f64)> = (0..10).map(|step| (f64::from(step) * 1000.0, f64::from(step) * 2e5)).collect();
        assert!((slope(&grows) - 200.0).abs() < 1e-9);
        let wavers = [(0.0, 1.0), (1.0, 2.0), (2.0, 2.0), (3.0, 1.0)];
        assert!(slope(&wavers).abs() < 1e-9);
        assert_eq!(slope(&[(1.0, 5.0)]), 0.0);
        assert_eq!((median(vec![3.0, 1.0, 2.0]), median(Vec::new())), (Some(2.0), None));
    }
}
