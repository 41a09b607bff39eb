//! The proving ground: robot, server and viewers, as people run them, on networks that lose, crowd, change and fail.
//!
//! [`ground`] makes the networks, [`stage`] puts the real programs there, [`chromium`] watches, [`scenario`] says what
//! happens, and [`verdict`] what it comes to; [`report`] shows it. All of it needs root, touches nothing of the machine that it
//! runs on, and is gone with its process.

pub mod chromium;
pub mod ground;
pub mod report;
pub mod scenario;
pub mod sight;
pub mod stage;
pub mod verdict;
pub mod wear;
