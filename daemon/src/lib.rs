//! What every Panocast process does in the same way: read its config, log, and end.
//!
//! It knows nothing of robots or viewers. The binaries parse their command line, load their config through [`config`],
//! start [`log`], and hand their `run` to [`shutdown`].

pub mod config;
pub mod log;
pub mod shutdown;
