//! How much of everything there may be.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use serde::Deserialize;

use super::changes::Comparison;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Per robot.
    pub max_viewers: NonZeroUsize,
    pub max_robots: NonZeroUsize,
    /// Of robots and viewers together.
    pub max_connections: NonZeroUsize,
    /// What a viewer may say in a second, lastingly …
    pub events_per_second: NonZeroU32,
    /// … and at once.
    pub event_burst: NonZeroU32,
    /// Of those, from one address, or from one network of IPv6.
    pub max_connections_per_address: NonZeroUsize,
    #[serde(with = "humantime_serde")]
    pub session_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let count = |number| NonZeroUsize::new(number).expect("not zero");
        Self {
            max_viewers: count(200),
            max_robots: count(100),
            max_connections: count(2000),
            events_per_second: NonZeroU32::new(20).expect("not zero"),
            event_burst: NonZeroU32::new(80).expect("not zero"),
            max_connections_per_address: count(20),
            session_grace: Duration::from_secs(10),
        }
    }
}

impl Limits {
    pub(super) fn compare(&self, new: &Self, keys: &mut Comparison) {
        let Self {
            max_viewers,
            max_robots,
            max_connections,
            max_connections_per_address,
            events_per_second,
            event_burst,
            session_grace,
        } = self;
        keys.at_once("limits.max_viewers", max_viewers, &new.max_viewers);
        keys.at_once("limits.max_robots", max_robots, &new.max_robots);
        keys.at_once("limits.max_connections", max_connections, &new.max_connections);
        keys.at_once(
            "limits.max_connections_per_address",
            max_connections_per_address,
            &new.max_connections_per_address,
        );
        keys.at_once("limits.events_per_second", events_per_second, &new.events_per_second);
        keys.at_once("limits.event_burst", event_burst, &new.event_burst);
        keys.at_once("limits.session_grace", session_grace, &new.session_grace);
    }
}
