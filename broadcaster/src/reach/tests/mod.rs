//! [`Reach`](super::Reach) with invented time against an invented server.

mod fake;
mod reach;
