//! `[attitude]`: who says how the robot leans.

use std::net::SocketAddr;

use serde::Deserialize;

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Attitude {
    /// Where readings come, by UDP. Without it nobody says it.
    pub listen: Option<SocketAddr>,
}
