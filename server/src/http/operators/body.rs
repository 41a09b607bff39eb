//! What comes along with a request: it is little, and it comes at once.

use std::time::Duration;

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::time::timeout;

use super::Refusal;

/// A link's note is the longest thing that anybody has to say.
pub(super) const MOST: usize = 16 << 10;

const WITHIN: Duration = Duration::from_secs(10);

/// Whoever sends more, or is slow, is told so before anything else is looked at: strangers, too, are heard here.
pub(super) async fn take(request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    match timeout(WITHIN, to_bytes(body, MOST)).await {
        Ok(Ok(body)) => next.run(Request::from_parts(head, Body::from(body))).await,
        // Or it has gone, and need not be told.
        Ok(Err(_)) => Refusal::TooLarge.into_response(),
        Err(_) => Refusal::TooSlow.into_response(),
    }
}
