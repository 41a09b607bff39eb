//! What is known of robots and links, as of one moment. It is never changed: a newer one takes its place.

mod changes;

use std::collections::{BTreeMap, BTreeSet};

use protocol::{LinkId, RobotId, RobotKey};
use serde::{Deserialize, Serialize};
use subtle::Choice;

use super::{
    OperatorName,
    keys::KeyHash,
    token::{Bad, Claims, Keyring, Token, VisitClaims, VisitId},
    unix::UnixTime,
};

pub(crate) use changes::Change;

/// Keys that a robot may have at the same time: the one it uses, and the one it is to use next.
pub(super) const KEYS_PER_ROBOT: usize = 2;

/// Who may watch a robot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Anybody who reaches the server.
    Public,
    /// Whoever has a link.
    Link,
    /// Only those who operate it.
    Private,
}

/// What a link is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Watch,
    Operate,
}

#[derive(Clone, Debug)]
pub(crate) struct Book {
    robots: BTreeMap<RobotId, Entry>,
    /// Links that were taken back and have not run out by themselves.
    revoked: BTreeSet<LinkId>,
    keyring: Keyring,
    operators: BTreeMap<OperatorName, KeyHash>,
    /// Visits that their operators have ended and that have not run out by themselves.
    ended: BTreeSet<VisitId>,
}

/// An operator's, who has shown the key and need not do so again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Visit {
    pub(crate) id: VisitId,
    pub(crate) operator: OperatorName,
    pub(crate) until: UnixTime,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) access: Access,
    /// At most [`KEYS_PER_ROBOT`].
    pub(super) keys: Vec<KeyHash>,
}

/// Why a token is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Useless {
    Foreign,
    Expired,
    Revoked,
}

impl Book {
    pub(super) fn new(
        robots: BTreeMap<RobotId, Entry>,
        revoked: BTreeSet<LinkId>,
        operators: BTreeMap<OperatorName, KeyHash>,
        keyring: Keyring,
    ) -> Self {
        Self { robots, revoked, operators, keyring, ended: BTreeSet::new() }
    }

    pub(super) fn without(self, ended: BTreeSet<VisitId>) -> Self {
        Self { ended, ..self }
    }

    /// Which key it is, if it is one of this robot's. Robots that do not exist take as long to be refused.
    pub(super) fn recognise(&self, robot: &RobotId, key: &RobotKey) -> Option<KeyHash> {
        let hash = KeyHash::of(key);
        let entry = self.robots.get(robot);
        // Nobody's key: nobody knows what it is the hash of.
        let nobodys = KeyHash::from_array([0; 32]);
        let known = (0..KEYS_PER_ROBOT).map(|place| entry.and_then(|entry| entry.keys.get(place)).unwrap_or(&nobodys));
        let found = known.fold(Choice::from(0), |found, known| found | known.matches(&hash));
        bool::from(found).then_some(hash)
    }

    /// Whose key it is.
    pub(super) fn operator(&self, key: &str) -> Option<&OperatorName> {
        let hash = KeyHash::of_text(key);
        // All of them, whichever it is.
        self.operators.iter().fold(
            None,
            |found, (name, known)| {
                if bool::from(known.matches(&hash)) { Some(name) } else { found }
            },
        )
    }

    /// A token for an operator who has shown the key, so that it need not be kept in a browser.
    pub(super) fn visit(&self, operator: &OperatorName, until: UnixTime) -> Option<Token> {
        let key = self.operators.get(operator)?.tag();
        self.keyring.sign(&VisitClaims::new(operator.clone(), key, until))
    }

    /// The visit that this is the token of, if it goes on.
    pub(super) fn read_visit(&self, token: &str, now: UnixTime) -> Option<Visit> {
        let claims = self.keyring.read_visit(token, now).ok()?;
        let known = self.operators.get(&claims.sub)?;
        // Who got a new key shows that one.
        let goes_on = known.tag() == claims.key && !self.ended.contains(&claims.jti);
        goes_on.then_some(Visit { id: claims.jti, operator: claims.sub, until: claims.exp })
    }

    /// Whether that key is still one of the robot's.
    pub(super) fn has(&self, robot: &RobotId, key: &KeyHash) -> bool {
        self.robots.get(robot).is_some_and(|entry| entry.keys.contains(key))
    }

    pub(super) fn access(&self, robot: &RobotId) -> Option<Access> {
        self.robots.get(robot).map(|entry| entry.access)
    }

    pub(super) fn is_revoked(&self, link: &LinkId) -> bool {
        self.revoked.contains(link)
    }

    pub(super) fn read(&self, token: &str, now: UnixTime) -> Result<Claims, Useless> {
        let claims = self.keyring.read(token, now).map_err(|bad| match bad {
            Bad::Foreign => Useless::Foreign,
            Bad::Expired => Useless::Expired,
        })?;
        if self.is_revoked(&claims.jti) { Err(Useless::Revoked) } else { Ok(claims) }
    }
}
