//! What the tests and the load generator share: a viewer without a screen, and a world to put it in.
//!
//! [`Viewer`] speaks the real protocol and receives real media, on the async `webrtc` crate; [`Puppet`] does so on its core,
//! and as badly as it is told. [`Attack`] comes from [`Stranger`]s, who belong to no session. [`World`] runs server and
//! broadcaster in this process, on ports that nobody else has; [`Processes`] runs the real binaries, to kill and to measure.

mod attack;
mod ending;
mod exposition;
mod folder;
mod guest;
mod line;
mod link;
mod peer;
mod playback;
mod player;
mod process;
mod puppet;
mod reception;
mod stranger;
mod terminal;
mod viewer;
mod world;

pub use attack::Attack;
pub use ending::{PATIENCE, leaving_nothing};
pub use exposition::Exposition;
pub use folder::Folder;
pub use guest::{Guest, ask};
pub use line::Line;
pub use link::{Conditions, Link};
pub use playback::{Playback, Shown};
pub use player::{Answered, Player, request};
pub use process::{Footprint, Log, Process, Processes, RtspCamera, binary};
pub use puppet::{Order, Picture, Puppet, Seen};
pub use reception::Reception;
pub use stranger::Stranger;
pub use terminal::Terminal;
pub use viewer::{Options, Viewer, ViewerError};
pub use world::{Robot, World};
