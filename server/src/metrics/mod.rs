//! How numbers reach a monitoring system: Prometheus' text format, and what the kernel knows of this process.
//!
//! Which numbers there are is decided by `figures`; who may read them, by `http`.

mod histogram;
pub(crate) mod process;
mod text;

pub(crate) use histogram::Histogram;
pub(crate) use text::{CONTENT_TYPE, Kind, Text};
