//! What it costs the real binary to serve many, and to bear those who want too much.
//!
//! Whatever depends on how fast the machine is, or takes long, is ignored here; `make bench-server` runs it, on a machine that
//! does nothing else.

mod churn;
#[expect(dead_code, reason = "some of it is for other tests")]
#[path = "../client/mod.rs"]
mod client;
mod crowd;
mod greed;
mod neighbours;
mod support;
mod writes;
