//! What those are told for whom there is no seat.

use std::time::Duration;

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::seats::NoSeat;

/// Seconds after which it is worth trying again.
const RETRY_AFTER: &str = "10";

/// Whoever has not taken its refusal by then does not get it.
const TOLD_WITHIN: Duration = Duration::from_secs(2);

impl NoSeat {
    fn status(self) -> StatusCode {
        match self {
            Self::Full => StatusCode::SERVICE_UNAVAILABLE,
            Self::Crowded => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::Full => "This server has as many connections as it may. Try again later.\n",
            Self::Crowded => {
                "Your address has as many connections as one may have. Close some, or try again later; where many people \
                 share one address, the operator may raise limits.max_connections_per_address.\n"
            }
        }
    }
}

/// On a connection that goes on.
impl IntoResponse for NoSeat {
    fn into_response(self) -> Response {
        let headers = [(header::RETRY_AFTER, RETRY_AFTER), (header::CACHE_CONTROL, "no-store")];
        (self.status(), headers, self.sentence()).into_response()
    }
}

/// On a connection that ends here, whatever was asked.
pub(super) async fn tell(mut stream: impl AsyncRead + AsyncWrite + Unpin, why: NoSeat) {
    let (status, text) = (why.status(), why.sentence());
    let response = format!(
        "HTTP/1.1 {status}\r\nretry-after: {RETRY_AFTER}\r\nconnection: close\r\ncache-control: no-store\r\n\
         content-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n\r\n{text}",
        text.len()
    );
    let told = async {
        stream.write_all(response.as_bytes()).await?;
        stream.shutdown().await?;
        // What is closed with something unread in it is reset, and the answer may be lost with it.
        let mut unread = [0; 1024];
        while stream.read(&mut unread).await? > 0 {}
        Ok::<_, std::io::Error>(())
    };
    // Whoever has gone need not be told.
    let _ = tokio::time::timeout(TOLD_WITHIN, told).await;
}
