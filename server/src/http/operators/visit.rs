//! A visit: the key is exchanged for a cookie that scripts cannot read and that ends by itself.

use std::time::Duration;

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::{Operator, Refusal, Shared, answer};
use crate::auth::UnixTime;

const LASTS: Duration = Duration::from_secs(12 * 3600);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Credentials {
    key: String,
}

pub(super) async fn show(Operator(name): Operator) -> Response {
    answer(serde_json::json!({ "operator": name }))
}

pub(super) async fn begin(
    State(shared): State<Shared>,
    credentials: Result<Json<Credentials>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(Credentials { key }) = credentials?;
    let now = UnixTime::now();
    let door = shared.door.borrow().clone();
    if door.is_open() {
        return Err(Refusal::NoOperators);
    }
    let Some(name) = door.operator(&key, now) else {
        tracing::info!(target: "audit", "operator refused");
        return Err(Refusal::NotYou);
    };
    let visit = door.visit(&name, now.after(LASTS)).ok_or(Refusal::NotYou)?;
    tracing::info!(target: "audit", operator = %name, "operator visits");
    let mut response = answer(serde_json::json!({ "operator": name }));
    shared.jar.put(&mut response, visit.as_str(), LASTS);
    Ok(response)
}

/// Ends the visit for good: whoever else has its cookie gets nowhere with it either.
pub(super) async fn end(State(shared): State<Shared>, headers: HeaderMap) -> Result<Response, Refusal> {
    let now = UnixTime::now();
    let visit = shared.jar.token(&headers).and_then(|token| shared.door.borrow().read_visit(token, now));
    if let Some(visit) = visit {
        let operator = visit.operator.clone();
        shared.ask(move |store| store.end_visit(&visit, now)).await?;
        tracing::info!(target: "audit", %operator, "operator's visit ended");
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    shared.jar.put(&mut response, "", Duration::ZERO);
    Ok(response)
}
