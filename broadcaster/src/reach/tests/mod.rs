//! [`Reach`](super::Reach) with invented time against an invented server, and all of it against a real one.

mod coturn;
mod fake;
mod reach;
