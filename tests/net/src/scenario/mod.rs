//! The scenarios: what happens in each, and what must hold meanwhile.

mod crowds;
mod ends;
mod faults;
mod moves;
mod paths;
mod play;
mod walls;

use futures_util::future::BoxFuture;

use crate::{stage::Stage, verdict::Outcome};

pub struct Scenario {
    pub name: &'static str,
    /// What happens, in a few words.
    pub title: &'static str,
    /// Whether it is part of the short form.
    pub short: bool,
    run: for<'a> fn(&'a mut Stage) -> BoxFuture<'a, anyhow::Result<Outcome>>,
}

impl Scenario {
    pub async fn run(&self, stage: &mut Stage) -> anyhow::Result<Outcome> {
        (self.run)(stage).await
    }
}

/// In the order in which they are run and shown.
pub const ALL: &[Scenario] = &[
    Scenario {
        name: "loss-5",
        title: "5 % of packets lost, both ways",
        short: false,
        run: |stage| Box::pin(paths::loss(stage, paths::LOSS_5)),
    },
    Scenario {
        name: "loss-10",
        title: "10 % of packets lost, both ways",
        short: true,
        run: |stage| Box::pin(paths::loss(stage, paths::LOSS_10)),
    },
    Scenario {
        name: "loss-20",
        title: "20 % of packets lost, both ways",
        short: false,
        run: |stage| Box::pin(paths::loss(stage, paths::LOSS_20)),
    },
    Scenario {
        name: "jitter",
        title: "50–200 ms delay, 25 % of packets out of order",
        short: true,
        run: |stage| Box::pin(paths::jitter(stage)),
    },
    Scenario {
        name: "cap",
        title: "1 Mbit/s for a while, of a picture that takes more",
        short: false,
        run: |stage| Box::pin(paths::cap(stage)),
    },
    Scenario {
        name: "tunnels",
        title: "a train: 10 s without network every 60 s",
        short: false,
        run: |stage| Box::pin(paths::tunnels(stage)),
    },
    Scenario {
        name: "viewer-handover",
        title: "the viewer goes from Wi-Fi to LTE",
        short: true,
        run: |stage| Box::pin(moves::viewer(stage)),
    },
    Scenario {
        name: "robot-handover",
        title: "the robot goes from Wi-Fi to LTE",
        short: false,
        run: |stage| Box::pin(moves::robot(stage)),
    },
    Scenario {
        name: "cones",
        title: "both behind full-cone NAT",
        short: false,
        run: |stage| Box::pin(walls::cones(stage)),
    },
    Scenario {
        name: "symmetric",
        title: "both behind symmetric NAT",
        short: true,
        run: |stage| Box::pin(walls::symmetric(stage)),
    },
    Scenario {
        name: "no-udp",
        title: "both behind walls that let no UDP through",
        short: false,
        run: |stage| Box::pin(walls::without_udp(stage)),
    },
    Scenario {
        name: "server-killed",
        title: "the server is killed, and away for 30 s",
        short: true,
        run: |stage| Box::pin(ends::server_killed(stage)),
    },
    Scenario {
        name: "robot-killed",
        title: "the robot's program is killed, and started again",
        short: false,
        run: |stage| Box::pin(ends::robot_killed(stage)),
    },
    Scenario {
        name: "drain",
        title: "server and robot are told to end",
        short: false,
        run: |stage| Box::pin(ends::drain(stage)),
    },
    Scenario {
        name: "half-open",
        title: "dead lines to the server, for 40 s",
        short: false,
        run: |stage| Box::pin(faults::half_open(stage)),
    },
    Scenario {
        name: "robot-offline",
        title: "the robot is offline for 35 s",
        short: false,
        run: |stage| Box::pin(faults::robot_offline(stage)),
    },
    Scenario {
        name: "clock",
        title: "the robot's clock is set by an hour",
        short: false,
        run: |stage| Box::pin(faults::clock(stage)),
    },
    Scenario {
        name: "disk-full",
        title: "recordings fill the disk",
        short: false,
        run: |stage| Box::pin(faults::disk_full(stage)),
    },
    Scenario {
        name: "camera-stalls",
        title: "a network camera hangs for 12 s",
        short: false,
        run: |stage| Box::pin(faults::camera_stalls(stage)),
    },
    Scenario {
        name: "crowd",
        title: "500 viewers within a second",
        short: false,
        run: |stage| Box::pin(crowds::five_hundred(stage)),
    },
    Scenario {
        name: "slow-and-good",
        title: "50 on slow paths beside 50 on good ones",
        short: false,
        run: |stage| Box::pin(crowds::slow_and_good(stage)),
    },
];
