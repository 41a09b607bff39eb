//! Who is let in, and who has to leave.

use std::{
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use protocol::{Code, LinkId, RobotId, RobotKey};

use super::{
    Access, Book, OperatorName, Role, Token, UnixTime, Visit,
    book::Useless,
    keys::{KeyHash, OPERATORS},
};

/// Longer than any connection lasts.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

#[derive(Clone, Debug)]
pub(crate) enum Door {
    /// Whoever comes may do whatever there is to do.
    Open,
    /// Robots need a key, and viewers what their robot asks for.
    Guarded(Arc<Book>),
}

/// What a viewer's link is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pass {
    pub(crate) link: LinkId,
    pub(crate) robot: RobotId,
    pub(crate) role: Role,
    /// How many may watch by the link at the same time.
    pub(crate) max_viewers: Option<NonZeroU32>,
    pub(crate) until: Instant,
}

/// How a robot was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Nobody asked.
    None,
    Key(KeyHash),
}

/// Why somebody is not let in, or has to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// The same whether there is such a robot or not.
    Unauthorized,
    Expired,
    Revoked,
}

impl Denied {
    pub(crate) fn code(self) -> Code {
        match self {
            Self::Unauthorized => Code::Unauthorized,
            Self::Expired => Code::TokenExpired,
            Self::Revoked => Code::TokenRevoked,
        }
    }
}

impl Door {
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }

    /// What the bearer of this token may do. An open door asks for none, and looks at none.
    pub(crate) fn read(&self, token: &str, unix: UnixTime, now: Instant) -> Result<Option<Pass>, Denied> {
        let Self::Guarded(book) = self else { return Ok(None) };
        let claims = book.read(token, unix).map_err(|useless| match useless {
            Useless::Foreign => Denied::Unauthorized,
            Useless::Expired => Denied::Expired,
            Useless::Revoked => Denied::Revoked,
        })?;
        let left = unix.until(claims.exp).min(FOREVER);
        Ok(Some(Pass {
            link: claims.jti,
            robot: claims.robot,
            role: claims.role,
            max_viewers: claims.max,
            until: now + left,
        }))
    }

    /// Whether this key proves somebody to be this robot.
    pub(crate) fn claim(&self, robot: &RobotId, key: Option<&RobotKey>) -> Result<Proof, Denied> {
        let Self::Guarded(book) = self else { return Ok(Proof::None) };
        let key = key.and_then(|key| book.recognise(robot, key));
        key.map(Proof::Key).ok_or(Denied::Unauthorized)
    }

    /// Whether what a robot was known by would still do.
    pub(crate) fn still_holds(&self, robot: &RobotId, proof: Proof) -> bool {
        match (self, proof) {
            (Self::Open, _) => true,
            (Self::Guarded(_), Proof::None) => false,
            (Self::Guarded(book), Proof::Key(key)) => book.has(robot, &key),
        }
    }

    /// Whether a robot of this name has been made known.
    pub(crate) fn knows(&self, robot: &RobotId) -> bool {
        match self {
            Self::Open => false,
            Self::Guarded(book) => book.access(robot).is_some(),
        }
    }

    pub(crate) fn is_revoked(&self, link: &LinkId) -> bool {
        match self {
            Self::Open => false,
            Self::Guarded(book) => book.is_revoked(link),
        }
    }

    /// Whether whoever has this pass, or none, may watch this robot.
    pub(crate) fn watch(&self, robot: &RobotId, pass: Option<&Pass>, now: Instant) -> Result<(), Denied> {
        let Self::Guarded(book) = self else { return Ok(()) };
        let access = book.access(robot);
        let role = match pass.filter(|pass| pass.robot == *robot) {
            Some(pass) if book.is_revoked(&pass.link) => return Err(Denied::Revoked),
            Some(pass) if pass.until <= now => return Err(Denied::Expired),
            pass => pass.map(|pass| pass.role),
        };
        match (access, role) {
            (Some(Access::Public), _)
            | (Some(Access::Link), Some(Role::Watch | Role::Operate))
            | (Some(Access::Private), Some(Role::Operate)) => Ok(()),
            (Some(Access::Link | Access::Private), None) | (Some(Access::Private), Some(Role::Watch)) | (None, _) => {
                Err(Denied::Unauthorized)
            }
        }
    }

    /// Who shows this: an operator's key, or the token of a visit. Nobody is anybody's operator where everybody gets in.
    pub(crate) fn operator(&self, shown: &str, now: UnixTime) -> Option<OperatorName> {
        let Self::Guarded(book) = self else { return None };
        if shown.starts_with(OPERATORS) {
            return book.operator(shown).cloned();
        }
        book.read_visit(shown, now).map(|visit| visit.operator)
    }

    /// The visit that this is the token of, if it goes on.
    pub(crate) fn read_visit(&self, token: &str, now: UnixTime) -> Option<Visit> {
        let Self::Guarded(book) = self else { return None };
        book.read_visit(token, now)
    }

    /// A token that stands for the operator's key until then.
    pub(crate) fn visit(&self, operator: &OperatorName, until: UnixTime) -> Option<Token> {
        let Self::Guarded(book) = self else { return None };
        book.visit(operator, until)
    }

    /// Whether a robot is one that anybody may know of.
    pub(crate) fn shows(&self, robot: &RobotId) -> bool {
        match self {
            Self::Open => true,
            Self::Guarded(book) => book.access(robot) == Some(Access::Public),
        }
    }
}
