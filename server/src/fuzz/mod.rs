//! The inside, for `make fuzz` to reach: small doors to what takes bytes from outside. Only with the feature `fuzz`; no
//! program has it.

pub mod auth {
    pub use crate::auth::fuzz::*;
}
pub mod listen {
    pub use crate::listen::fuzz::*;
}
pub mod turn {
    pub use crate::turn::fuzz::*;
}
