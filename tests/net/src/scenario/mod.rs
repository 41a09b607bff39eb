//! The scenarios: what happens in each, and what must hold meanwhile.

mod crowds;
mod ends;
mod faults;
mod moves;
mod paths;
mod play;
mod soak;
mod walls;

use futures_util::future::BoxFuture;
use serde::Serialize;

use crate::{stage::Stage, verdict::Outcome};

pub struct Scenario {
    pub name: &'static str,
    /// What happens, in a few words.
    pub title: &'static str,
    /// The shortest form of a run that it is part of.
    pub form: Form,
    run: for<'a> fn(&'a mut Stage) -> BoxFuture<'a, anyhow::Result<Outcome>>,
}

/// What is run without any names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Minutes.
    Short,
    /// An hour, with three seeds.
    Full,
    /// Another one and a half, in which nothing is done but wait and count.
    Soak,
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
        form: Form::Full,
        run: |stage| Box::pin(paths::loss(stage, paths::LOSS_5)),
    },
    Scenario {
        name: "loss-10",
        title: "10 % of packets lost, both ways",
        form: Form::Short,
        run: |stage| Box::pin(paths::loss(stage, paths::LOSS_10)),
    },
    Scenario {
        name: "loss-20",
        title: "20 % of packets lost, both ways",
        form: Form::Full,
        run: |stage| Box::pin(paths::loss(stage, paths::LOSS_20)),
    },
    Scenario {
        name: "runs",
        title: "10 % of packets lost, both ways, down five in a row",
        form: Form::Full,
        run: |stage| Box::pin(paths::loss(stage, paths::IN_RUNS)),
    },
    Scenario {
        name: "jitter",
        title: "50–200 ms delay, 25 % of packets out of order",
        form: Form::Short,
        run: |stage| Box::pin(paths::jitter(stage)),
    },
    Scenario {
        name: "duplicates",
        title: "30 % of packets come twice, and some out of order",
        form: Form::Full,
        run: |stage| Box::pin(paths::duplicates(stage)),
    },
    Scenario {
        name: "cap",
        title: "1 Mbit/s for a while, of a picture that takes more",
        form: Form::Full,
        run: |stage| Box::pin(paths::cap(stage)),
    },
    Scenario {
        name: "tunnels",
        title: "a train: 10 s without network every 60 s",
        form: Form::Full,
        run: |stage| Box::pin(paths::tunnels(stage)),
    },
    Scenario {
        name: "viewer-handover",
        title: "the viewer goes from Wi-Fi to LTE",
        form: Form::Short,
        run: |stage| Box::pin(moves::viewer(stage)),
    },
    Scenario {
        name: "robot-handover",
        title: "the robot goes from Wi-Fi to LTE",
        form: Form::Full,
        run: |stage| Box::pin(moves::robot(stage)),
    },
    Scenario {
        name: "robot-cut-off",
        title: "the robot's Wi-Fi leads nowhere, and it has LTE beside it",
        form: Form::Full,
        run: |stage| Box::pin(moves::robot_silently(stage)),
    },
    Scenario {
        name: "cones",
        title: "both behind full-cone NAT",
        form: Form::Full,
        run: |stage| Box::pin(walls::cones(stage)),
    },
    Scenario {
        name: "symmetric",
        title: "both behind symmetric NAT",
        form: Form::Short,
        run: |stage| Box::pin(walls::symmetric(stage)),
    },
    Scenario {
        name: "no-udp",
        title: "both behind walls that let no UDP through",
        form: Form::Full,
        run: |stage| Box::pin(walls::without_udp(stage)),
    },
    Scenario {
        name: "only-pages",
        title: "both behind walls that let nothing through but TLS to the port of pages",
        form: Form::Full,
        run: |stage| Box::pin(walls::only_pages(stage)),
    },
    Scenario {
        name: "server-killed",
        title: "the server is killed, and away for 30 s",
        form: Form::Short,
        run: |stage| Box::pin(ends::server_killed(stage)),
    },
    Scenario {
        name: "robot-killed",
        title: "the robot's program is killed, and started again",
        form: Form::Full,
        run: |stage| Box::pin(ends::robot_killed(stage)),
    },
    Scenario {
        name: "drain",
        title: "server and robot are told to end",
        form: Form::Full,
        run: |stage| Box::pin(ends::drain(stage)),
    },
    Scenario {
        name: "half-open",
        title: "dead lines to the server, for 40 s",
        form: Form::Full,
        run: |stage| Box::pin(faults::half_open(stage)),
    },
    Scenario {
        name: "robot-offline",
        title: "the robot is offline for 35 s",
        form: Form::Full,
        run: |stage| Box::pin(faults::robot_offline(stage)),
    },
    Scenario {
        name: "clock",
        title: "the clocks of robot and server are set by an hour",
        form: Form::Full,
        run: |stage| Box::pin(faults::clock(stage)),
    },
    Scenario {
        name: "disk-full",
        title: "recordings fill the disk",
        form: Form::Full,
        run: |stage| Box::pin(faults::disk_full(stage)),
    },
    Scenario {
        name: "camera-stalls",
        title: "a network camera hangs for 12 s",
        form: Form::Full,
        run: |stage| Box::pin(faults::camera_stalls(stage)),
    },
    Scenario {
        name: "crowd",
        title: "500 viewers within a second",
        form: Form::Full,
        run: |stage| Box::pin(crowds::five_hundred(stage)),
    },
    Scenario {
        name: "slow-and-good",
        title: "50 on slow paths beside 50 on good ones",
        form: Form::Full,
        run: |stage| Box::pin(crowds::slow_and_good(stage)),
    },
    Scenario {
        name: "cycles",
        title: "10,000 viewers come and go, a third of them without a word",
        form: Form::Soak,
        run: |stage| Box::pin(soak::cycles(stage)),
    },
    Scenario {
        name: "hour",
        title: "50 viewers for an hour in which something goes wrong every few seconds",
        form: Form::Soak,
        run: |stage| Box::pin(soak::hour(stage)),
    },
];
