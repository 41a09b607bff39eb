//! The way in, from outside: who is let in, how long anybody is waited for, and what encryption there is.

mod authority;
mod encrypted;
mod limits;
mod patience;
mod relayed;
mod support;
