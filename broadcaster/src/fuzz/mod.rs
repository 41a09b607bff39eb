//! The inside, for `make fuzz` to reach: small doors to what takes bytes from outside. Only with the feature `fuzz`; no
//! program has it.

pub mod attitude {
    pub use crate::attitude::fuzz::*;
}
pub mod delivery {
    pub use crate::delivery::fuzz::*;
}
pub mod fanout {
    pub use crate::fanout::fuzz::*;
}
pub mod media {
    pub use crate::media::fuzz::*;
}
pub mod reach {
    pub use crate::reach::fuzz::*;
}
pub mod record {
    pub use crate::record::fuzz::*;
}
pub mod session {
    pub use crate::session::fuzz::*;
}
pub mod signalling {
    pub use crate::signalling::fuzz::*;
}
pub mod transport {
    pub use crate::transport::fuzz::*;
}

use crate::{commands::check, config::Config};

/// What `broadcaster check` says of a config, and its doubts.
pub fn describe(config: &Config) -> (String, Vec<String>) {
    (check::describe(config), config.doubts().collect())
}
