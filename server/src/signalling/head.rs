//! What is kept of the request that a connection began with.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Uri, header},
};

/// The headers that somebody looks at: Engine.IO at two of them, and [`super::intake`] at where a page comes from.
const LOOKED_AT: [HeaderName; 3] = [header::CONTENT_TYPE, header::SEC_WEBSOCKET_KEY, header::ORIGIN];

/// Engine.IO keeps a request's head for as long as the connection lasts that it began, and with any part of it the whole buffer
/// of eight kilobytes or more that it was read into. It gets copies, of no more than it takes.
pub(super) async fn copied(mut request: Request) -> Request {
    let mut headers = HeaderMap::with_capacity(LOOKED_AT.len());
    for name in LOOKED_AT {
        let values = request.headers().get_all(&name).iter();
        let copies: Vec<HeaderValue> =
            values.filter_map(|value| HeaderValue::from_bytes(value.as_bytes()).ok()).collect();
        for value in copies {
            headers.append(name.clone(), value);
        }
    }
    *request.headers_mut() = headers;
    if let Ok(uri) = request.uri().to_string().parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    request
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[tokio::test]
    async fn what_is_looked_at_stays_as_it_was() {
        let request = Request::get("/socket.io/?EIO=4&transport=websocket")
            .header(header::SEC_WEBSOCKET_KEY, "AAAA")
            .header(header::ORIGIN, "https://a.example")
            .header(header::ORIGIN, "https://b.example")
            .header(header::COOKIE, "a".repeat(30_000));
        let request = copied(request.body(Body::empty()).expect("a request")).await;
        assert_eq!(request.uri(), "/socket.io/?EIO=4&transport=websocket");
        assert_eq!(request.headers().len(), 3);
        assert_eq!(request.headers().get_all(header::ORIGIN).iter().count(), 2);
        assert_eq!(request.headers()[header::SEC_WEBSOCKET_KEY], "AAAA");
    }
}
