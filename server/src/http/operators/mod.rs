//! What operators do over HTTP: the API behind the page at `/admin`, and behind whatever else they have.
//!
//! An operator shows the key as a bearer token, or a visit's cookie that the key was exchanged for.

mod body;
mod jar;
mod links;
mod robots;
#[cfg(test)]
mod tests;
mod viewers;
mod visit;

use axum::{
    Json, Router,
    extract::{FromRequestParts, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header, request::Parts},
    middleware::from_fn,
    response::{IntoResponse, Response},
    routing::{delete, get, patch, post},
};
use protocol::{Code, Notice, RobotId};

use super::Shared;
use crate::auth::{Door, Errand, OperatorName, Store, StoreError, UnixTime};
pub(super) use jar::Jar;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/api/v1/visit", get(visit::show).post(visit::begin).delete(visit::end))
        .route("/api/v1/operators/robots", get(robots::list).post(robots::add))
        .route("/api/v1/operators/robots/{robot}", patch(robots::change).delete(robots::remove))
        .route("/api/v1/operators/robots/{robot}/key", post(robots::rotate))
        .route("/api/v1/operators/robots/{robot}/viewers/{session}", delete(viewers::send_away))
        .route("/api/v1/operators/links", get(links::list).post(links::add))
        .route("/api/v1/operators/links/{link}", delete(links::revoke))
        .layer(from_fn(body::take))
}

/// Whoever has shown to be one.
pub(super) struct Operator(pub(super) OperatorName);

impl FromRequestParts<Shared> for Operator {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Refusal> {
        let door = shared.door.borrow();
        if door.is_open() {
            return Err(Refusal::NoOperators);
        }
        known(&parts.headers, &door, &shared.jar).map(Self).ok_or(Refusal::NotYou)
    }
}

/// The operator who has sent these headers, if one has.
pub(super) fn known(headers: &HeaderMap, door: &Door, jar: &Jar) -> Option<OperatorName> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown = header.and_then(super::caller::bearer).or_else(|| jar.token(headers));
    shown.and_then(|shown| door.operator(shown, UnixTime::now()))
}

/// Why an operator does not get what was asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("This server lets everybody in (auth.mode is \"open\") and so has no operators.")]
    NoOperators,
    #[error("This is for operators: show a key that `server operator add` has printed.")]
    NotYou,
    #[error("{0}")]
    Body(#[from] JsonRejection),
    #[error("The request's body is more than {} bytes.", body::MOST)]
    TooLarge,
    #[error("The request's body did not come in time.")]
    TooSlow,
    #[error("{0}")]
    Value(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("No such viewer watches robot {0}.")]
    NoViewer(RobotId),
    #[error("The server is ending.")]
    Ending,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code) = match &self {
            Self::NoOperators => (StatusCode::NOT_FOUND, Code::Unsupported),
            Self::NotYou => (StatusCode::UNAUTHORIZED, Code::Unauthorized),
            Self::Body(rejection) => (rejection.status(), Code::Malformed),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, Code::TooLarge),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, Code::Malformed),
            Self::Value(_) => (StatusCode::UNPROCESSABLE_ENTITY, Code::Malformed),
            Self::Store(StoreError::Exists(_)) => (StatusCode::CONFLICT, Code::Malformed),
            Self::Store(StoreError::NoRobot(_)) => (StatusCode::NOT_FOUND, Code::UnknownRobot),
            Self::Store(StoreError::NoLink(_) | StoreError::NoOperator(_)) => (StatusCode::NOT_FOUND, Code::Malformed),
            Self::Store(error @ (StoreError::Unusable { .. } | StoreError::Newer { .. } | StoreError::Failed(_))) => {
                tracing::error!(error = error as &dyn std::error::Error, "an operator could not be served");
                (StatusCode::INTERNAL_SERVER_ERROR, Code::Draining)
            }
            Self::NoViewer(_) => (StatusCode::NOT_FOUND, Code::Malformed),
            Self::Ending => (StatusCode::SERVICE_UNAVAILABLE, Code::Draining),
        };
        let notice = Notice::new(code, self.to_string());
        let mut response = (status, [(header::CACHE_CONTROL, "no-store")], Json(notice)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let scheme = header::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// What an operator is answered: never to be kept by anybody in between.
pub(super) fn answer(value: impl serde::Serialize) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Json(value)).into_response()
}

impl Shared {
    /// Has the store do something for an operator.
    async fn ask<T: Send + 'static>(
        &self,
        errand: impl FnOnce(&mut Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let keeper = self.keeper.as_ref().ok_or(Refusal::NoOperators)?;
        let (errand, answered) = Errand::new(errand);
        keeper.run(errand).await;
        Ok(answered.await.map_err(|_| Refusal::Ending)??)
    }
}
