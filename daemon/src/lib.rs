//! What every Panocast process does in the same way: read its config, log, tell its supervisor, and end.
//!
//! It knows nothing of robots or viewers. The binaries parse their command line, load their config through [`config`],
//! [`secret`]s included, start [`log`], perhaps above a [`footer`], and hand their `run` to [`shutdown`]; [`supervisor`] is for systemd.

pub mod config;
pub mod footer;
pub mod log;
pub mod secret;
pub mod shutdown;
pub mod supervisor;
