//! Who may do what: robots prove themselves by keys, viewers by links.
//!
//! `door` answers, from a `book` of what is known at the moment; both are pure. `store` keeps it all on disk, and
//! `keeper` hands out a new book when the store has changed, be it by this process or by a command beside it.

mod book;
mod door;
mod files;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod keeper;
mod keys;
mod link;
mod operator;
pub(crate) mod signing;
mod store;
#[cfg(test)]
mod tests;
mod token;
mod unix;

pub use book::{Access, Role};
pub(crate) use book::{Book, Change, Visit};
pub(crate) use door::{Denied, Door, Pass, Proof};
pub(crate) use keeper::{Errand, Keeper, Keeping};
pub use keys::OperatorKey;
pub use link::{Link, NewLink, check_lasts, check_note};
pub use operator::{InvalidName, OperatorName};
pub(crate) use store::{BadRecord, Merged, Record};
pub use store::{Listed, Rotation, Store, StoreError};
#[cfg(test)]
pub(crate) use tests::{guarded, key, pass};
pub use token::Token;
pub use unix::UnixTime;
