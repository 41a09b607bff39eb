//! Links by which viewers come.

use std::{num::NonZeroU32, time::Duration};

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use protocol::{LinkId, RobotId};
use serde::{Deserialize, Serialize};

use super::{Operator, Refusal, Shared, answer};
use crate::{
    audit::role_word,
    auth::{Link, NewLink, Role, UnixTime, check_lasts, check_note},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    robot: RobotId,
    #[serde(default = "usual")]
    role: Role,
    /// In seconds.
    lasts: u64,
    #[serde(default)]
    max_viewers: Option<NonZeroU32>,
    #[serde(default)]
    note: String,
}

fn usual() -> Role {
    Role::Watch
}

#[derive(Serialize)]
struct Shown {
    id: LinkId,
    robot: RobotId,
    role: Role,
    max_viewers: Option<NonZeroU32>,
    note: String,
    created: UnixTime,
    expires: UnixTime,
    revoked: bool,
}

impl From<Link> for Shown {
    fn from(link: Link) -> Self {
        let Link { id, robot, role, max_viewers, note, created, expires, revoked } = link;
        Self { id, robot, role, max_viewers, note, created, expires, revoked }
    }
}

#[derive(Serialize)]
struct Made {
    #[serde(flatten)]
    link: Shown,
    /// Below the server's address; not shown again.
    path: String,
}

pub(super) async fn list(_: Operator, State(shared): State<Shared>) -> Result<Response, Refusal> {
    let links = shared.ask(|store| store.links(UnixTime::now())).await?;
    Ok(answer(links.into_iter().map(Shown::from).collect::<Vec<_>>()))
}

pub(super) async fn add(
    Operator(operator): Operator,
    State(shared): State<Shared>,
    new: Result<Json<New>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(New { robot, role, lasts, max_viewers, note }) = new?;
    let lasts = check_lasts(Duration::from_secs(lasts)).map_err(|rule| Refusal::Value(format!("lasts: {rule}")))?;
    check_note(&note).map_err(|rule| Refusal::Value(format!("note: {rule}")))?;
    let new = NewLink { robot, role, max_viewers, lasts, note };
    let (link, token) = shared.ask(move |store| store.add_link(&new, UnixTime::now())).await?;
    let (id, robot, until) = (&link.id, &link.robot, link.expires.0);
    tracing::info!(target: "audit", %operator, %robot, link = %id, role = role_word(role), until, "link made");
    let path = link.path(&token);
    Ok((StatusCode::CREATED, answer(Made { link: link.into(), path })).into_response())
}

pub(super) async fn revoke(
    Operator(operator): Operator,
    State(shared): State<Shared>,
    Path(link): Path<LinkId>,
) -> Result<Response, Refusal> {
    let id = link.clone();
    shared.ask(move |store| store.revoke_link(&id, UnixTime::now())).await?;
    tracing::info!(target: "audit", %operator, %link, "link taken back");
    Ok(StatusCode::NO_CONTENT.into_response())
}
