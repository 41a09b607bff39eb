//! Robots that may come.

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use protocol::RobotId;
use serde::{Deserialize, Serialize};

use super::{Operator, Refusal, Shared, answer};
use crate::auth::{Access, Listed, Rotation, UnixTime};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    robot: RobotId,
    #[serde(default = "usual")]
    access: Access,
}

fn usual() -> Access {
    Access::Link
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    access: Access,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NewKey {
    /// No former key works any more.
    at_once: bool,
}

#[derive(Serialize)]
struct Shown {
    robot: RobotId,
    access: Access,
    keys: usize,
    created: UnixTime,
}

impl From<Listed> for Shown {
    fn from(Listed { robot, access, keys, created }: Listed) -> Self {
        Self { robot, access, keys, created }
    }
}

/// The key, which is not shown again.
fn key(robot: &RobotId, key: &protocol::RobotKey) -> Response {
    answer(serde_json::json!({ "robot": robot, "key": key }))
}

pub(super) async fn list(_: Operator, State(shared): State<Shared>) -> Result<Response, Refusal> {
    let robots = shared.ask(|store| store.robots()).await?;
    Ok(answer(robots.into_iter().map(Shown::from).collect::<Vec<_>>()))
}

pub(super) async fn add(
    Operator(operator): Operator,
    State(shared): State<Shared>,
    new: Result<Json<New>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(New { robot, access }) = new?;
    let name = robot.clone();
    let given = shared.ask(move |store| store.add_robot(&name, access, UnixTime::now())).await?;
    tracing::info!(target: "audit", %operator, %robot, "robot added");
    Ok((StatusCode::CREATED, key(&robot, &given)).into_response())
}

pub(super) async fn change(
    Operator(operator): Operator,
    State(shared): State<Shared>,
    Path(robot): Path<RobotId>,
    change: Result<Json<Change>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(Change { access }) = change?;
    let name = robot.clone();
    shared.ask(move |store| store.set_access(&name, access)).await?;
    tracing::info!(target: "audit", %operator, %robot, ?access, "robot's access changed");
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn rotate(
    Operator(operator): Operator,
    State(shared): State<Shared>,
    Path(robot): Path<RobotId>,
    new: Result<Json<NewKey>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(NewKey { at_once }) = new?;
    let rotation = if at_once { Rotation::AtOnce } else { Rotation::Overlapping };
    let name = robot.clone();
    let given = shared.ask(move |store| store.rotate(&name, rotation, UnixTime::now())).await?;
    tracing::info!(target: "audit", %operator, %robot, ?rotation, "robot's key rotated");
    Ok(key(&robot, &given))
}

pub(super) async fn remove(
    Operator(operator): Operator,
    State(shared): State<Shared>,
    Path(robot): Path<RobotId>,
) -> Result<Response, Refusal> {
    let name = robot.clone();
    shared.ask(move |store| store.remove_robot(&name, UnixTime::now())).await?;
    tracing::info!(target: "audit", %operator, %robot, "robot removed");
    Ok(StatusCode::NO_CONTENT.into_response())
}
