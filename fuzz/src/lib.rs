//! Holds what comes from outside to what is said of it: one function for each way in, which takes any bytes and fails where
//! something does not hold.
//!
//! `make fuzz` runs each with bytes of the fuzzer's making, `tests/corpus.rs` with those in `corpus/`, which `make test` does.
//! Stateful ones read the bytes as a script of steps, and time is invented. What they reach of the inside are the doors in the
//! crates' own modules `fuzz`.

mod attitude;
mod channel;
mod config;
mod demux;
mod engine;
mod events;
mod feedback;
mod gate;
mod helped;
mod names;
mod packets;
mod places;
mod proxy;
mod relay;
mod script;
mod sdp;
mod session;
mod stream;
mod token;

pub use attitude::attitude;
pub use channel::channel;
pub use config::config;
pub use demux::demux;
pub use engine::engine;
pub use events::events;
pub use feedback::feedback;
pub use gate::gate;
pub use helped::helped;
pub use names::names;
pub use packets::packets;
pub use places::places;
pub use proxy::proxy;
pub use relay::relay;
pub use sdp::sdp;
pub use session::session;
pub use stream::stream;
pub use token::token;

/// A way in: any bytes.
pub type Target = fn(&[u8]);

/// All of them, by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("attitude", attitude),
    ("channel", channel),
    ("config", config),
    ("demux", demux),
    ("engine", engine),
    ("events", events),
    ("feedback", feedback),
    ("gate", gate),
    ("helped", helped),
    ("names", names),
    ("packets", packets),
    ("places", places),
    ("proxy", proxy),
    ("relay", relay),
    ("sdp", sdp),
    ("session", session),
    ("stream", stream),
    ("token", token),
];
