//! What `make fuzz` reaches of tokens.

use std::num::NonZeroU32;

use protocol::{LinkId, RobotId};

use super::{
    Role, UnixTime,
    token::{Bad, Claims, Keyring, VisitClaims},
};

/// A server's keys for tokens.
pub struct Keys(Keyring);

/// Why a token opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Foreign,
    Expired,
}

impl Keys {
    /// One key, which is called that.
    pub fn of(name: &str, secret: [u8; 32]) -> Self {
        Self(Keyring::of([(name.to_owned(), secret)]))
    }

    pub fn link(&self, id: &LinkId, robot: &RobotId, operates: bool, expires: u64, max: Option<NonZeroU32>) -> String {
        let role = if operates { Role::Operate } else { Role::Watch };
        let claims = Claims::new(id.clone(), robot.clone(), role, UnixTime(expires), max);
        self.0.sign(&claims).expect("there is a key").as_str().to_owned()
    }

    pub fn visit(&self, operator: &str, expires: u64) -> String {
        let operator = operator.parse().expect("a name");
        let claims = VisitClaims::new(operator, "key".to_owned(), UnixTime(expires));
        self.0.sign(&claims).expect("there is a key").as_str().to_owned()
    }

    /// The token that says the same, where this one lets a viewer in.
    pub fn read_link(&self, token: &str, now: u64) -> Result<String, Refused> {
        let claims = self.0.read(token, UnixTime(now)).map_err(refused)?;
        Ok(self.0.sign(&claims).expect("there is a key").as_str().to_owned())
    }

    /// The same where it lets an operator in.
    pub fn read_visit(&self, token: &str, now: u64) -> Result<String, Refused> {
        let claims = self.0.read_visit(token, UnixTime(now)).map_err(refused)?;
        Ok(self.0.sign(&claims).expect("there is a key").as_str().to_owned())
    }
}

fn refused(bad: Bad) -> Refused {
    match bad {
        Bad::Foreign => Refused::Foreign,
        Bad::Expired => Refused::Expired,
    }
}
