//! The robot's line to the server: typed messages in order, kept up by itself.

pub(crate) mod backoff;
mod connection;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod link;
mod url;

pub use connection::{AckId, Connection, ConnectionError, Incoming};
pub use link::{Link, LinkEvent};
pub use url::{InvalidUrl, ServerUrl};
