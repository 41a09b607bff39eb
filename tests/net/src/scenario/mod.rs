//! The scenarios: what happens in each, and what must hold meanwhile.

mod moves;
mod paths;
mod play;

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
];
