//! Robot, server and viewers together, over loopback, with real signalling and real media.
//!
//! Every test waits for events under a deadline, and those that run in this process end by showing that nothing is left. They
//! mostly wait, and do so beside each other; what needs the machine for itself is in `../alone`.

mod cameras;
mod commands;
mod discreet;
mod hanging;
mod input;
mod joining;
mod metrics;
mod misfits;
mod pinned;
mod reload;
mod restarts;
mod revoked;
mod snapshot;
mod supervised;
mod uplink;
mod whep;

use tests::{PATIENCE, leaving_nothing};
