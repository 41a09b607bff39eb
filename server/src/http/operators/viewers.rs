//! Viewers that are here.

use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use protocol::{RobotId, SessionId};

use super::{Operator, Refusal, Shared};
use crate::figures::short;

/// As much of a session's id as the overview shows; less would mean several.
const SHOWN: usize = 8;

pub(super) async fn send_away(
    Operator(operator): Operator,
    State(shared): State<Shared>,
    Path((robot, session)): Path<(RobotId, SessionId)>,
) -> Result<Response, Refusal> {
    if session.as_str().len() < SHOWN {
        return Err(Refusal::Value(format!("session: it must have the {SHOWN} characters that the overview shows")));
    }
    let beginning = short(&session);
    match shared.rooms.send_away(robot.clone(), session).await {
        Some(true) => {
            tracing::info!(target: "audit", %operator, %robot, session = %beginning, "viewer sent away");
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Some(false) => Err(Refusal::NoViewer(robot)),
        None => Err(Refusal::Ending),
    }
}
