//! Who asks over HTTP: nobody in particular, or the bearer of a link's token.

use axum::http::{HeaderMap, header};
use protocol::{Notice, RobotId};
use tokio::time::Instant;

use super::{Shared, operators};
use crate::{
    auth::{Door, Pass, UnixTime},
    rooms::denied,
};

/// What one request may see.
pub(super) struct Caller {
    door: Door,
    pass: Option<Pass>,
    is_operator: bool,
}

impl Caller {
    /// A token that opens nothing is an error, even where none is needed.
    pub(super) fn of(headers: &HeaderMap, shared: &Shared) -> Result<Self, Notice> {
        let door = shared.door.borrow().clone();
        if operators::known(headers, &door, &shared.jar).is_some() {
            return Ok(Self { door, pass: None, is_operator: true });
        }
        let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer);
        let pass = match token {
            Some(token) => door.read(token, UnixTime::now(), now()).map_err(|refusal| denied(refusal, None))?,
            None => None,
        };
        Ok(Self { door, pass, is_operator: false })
    }

    /// What its link lets it do.
    pub(super) fn into_pass(self) -> Option<Pass> {
        self.pass
    }

    /// The answer is the same whether there is such a robot or not.
    pub(super) fn may_watch(&self, robot: &RobotId) -> Result<(), Notice> {
        if self.is_operator {
            return Ok(());
        }
        self.door.watch(robot, self.pass.as_ref(), now()).map_err(|refusal| denied(refusal, Some(robot)))
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

pub(super) fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
