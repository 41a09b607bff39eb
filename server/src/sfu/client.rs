//! HTTP, as far as a media server is asked by it.

use std::{io, time::Duration};

use axum::http::{HeaderValue, Method, Request, StatusCode, Uri, header, request::Builder};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Http, connect::HttpConnector},
    rt::TokioExecutor,
};
use protocol::{Sdp, SdpError};

/// Some look for their own addresses first, which takes five seconds where nobody tells them.
const ANSWERED_WITHIN: Duration = Duration::from_secs(8);

/// A list of all who are in a crowded room is the longest answer that there is.
const MAX_BODY: usize = 32 << 20;

/// Of what a media server says of its trouble.
const MAX_SAID: usize = 200;

#[derive(Clone)]
pub(super) struct Client(Http<HttpsConnector<HttpConnector>, Full<Bytes>>);

/// What a request has begun, and can be ended by.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    at: Uri,
    authorization: Option<HeaderValue>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum SfuError {
    #[error("it cannot be asked: {0} is no address")]
    Address(String),
    #[error("it cannot be reached")]
    Unreachable(#[from] hyper_util::client::legacy::Error),
    #[error("it has not answered within {ANSWERED_WITHIN:?}")]
    Slow,
    #[error("it does not take this server's key: see [sfu] (status {0}, {1:?})")]
    Key(StatusCode, String),
    #[error("it answers with status {0}: {1:?}")]
    Refused(StatusCode, String),
    #[error("its answer cannot be read")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("its answer is no session description")]
    Answer(#[from] SdpError),
    #[error("it does not say where what it has begun can be ended")]
    NoLocation,
    #[error("viewers are let in another way")]
    NotSo,
}

impl Client {
    pub(super) fn new() -> io::Result<Self> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_platform_verifier(rustls::crypto::ring::default_provider())?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self(Http::builder(TokioExecutor::new()).build(connector)))
    }

    /// Makes an offer (RFC 9725, section 4.2, and its sibling for playing).
    pub(super) async fn offer(
        &self,
        to: &str,
        authorization: Option<HeaderValue>,
        offer: &Sdp,
    ) -> Result<(Sdp, Resource), SfuError> {
        let at: Uri = to.parse().map_err(|_| SfuError::Address(to.to_owned()))?;
        let request = asked(Method::POST, &at, authorization.as_ref())
            .header(header::CONTENT_TYPE, "application/sdp")
            .body(Full::from(offer.as_str().to_owned()));
        let (parts, body) = self.ask(request.map_err(|_| SfuError::Address(to.to_owned()))?).await?;
        let location = parts.headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
        let at = location.and_then(|location| beside(&at, location)).ok_or(SfuError::NoLocation)?;
        let answer = Sdp::try_from(String::from_utf8_lossy(&body).into_owned())?;
        Ok((answer, Resource { at, authorization }))
    }

    pub(super) async fn delete(&self, Resource { at, authorization }: &Resource) -> Result<(), SfuError> {
        let request = asked(Method::DELETE, at, authorization.as_ref()).body(Full::default());
        self.ask(request.map_err(|_| SfuError::Address(at.to_string()))?).await.map(drop)
    }

    /// Calls a procedure, with JSON, and returns what it says.
    pub(super) async fn call(&self, to: &str, authorization: HeaderValue, json: String) -> Result<Bytes, SfuError> {
        let at: Uri = to.parse().map_err(|_| SfuError::Address(to.to_owned()))?;
        let request = asked(Method::POST, &at, Some(&authorization))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(json));
        self.ask(request.map_err(|_| SfuError::Address(to.to_owned()))?).await.map(|(_, body)| body)
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<(axum::http::response::Parts, Bytes), SfuError> {
        let answered = async {
            let (parts, body) = self.0.request(request).await?.into_parts();
            let body = Limited::new(body, MAX_BODY).collect().await.map_err(SfuError::Body)?.to_bytes();
            Ok::<_, SfuError>((parts, body))
        };
        let (parts, body) = tokio::time::timeout(ANSWERED_WITHIN, answered).await.map_err(|_| SfuError::Slow)??;
        let said =
            || String::from_utf8_lossy(&body).chars().filter(|letter| !letter.is_control()).take(MAX_SAID).collect();
        match parts.status {
            status if status.is_success() => Ok((parts, body)),
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Err(SfuError::Key(status, said())),
            status => Err(SfuError::Refused(status, said())),
        }
    }
}

fn asked(method: Method, at: &Uri, authorization: Option<&HeaderValue>) -> Builder {
    let builder = Request::builder().method(method).uri(at);
    match authorization {
        Some(authorization) => builder.header(header::AUTHORIZATION, authorization),
        None => builder,
    }
}

/// Where a location leads that is named by what was asked there. It stays at the same server: what opens it is for that.
fn beside(at: &Uri, location: &str) -> Option<Uri> {
    let origin = format!("{}://{}", at.scheme_str()?, at.authority()?);
    let path = match location.parse::<Uri>().ok()?.into_parts() {
        parts if parts.authority.is_some() => parts.path_and_query?.to_string(),
        parts => parts.path_and_query?.to_string(),
    };
    let path = if path.starts_with('/') { path } else { format!("{}/{path}", at.path().rsplit_once('/')?.0) };
    format!("{origin}{path}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_is_ended_at_the_same_server() {
        let at: Uri = "http://sfu.example:8889/demo/main/whip".parse().expect("a URL");
        for (location, expected) in [
            ("/demo/main/whip/1f", "http://sfu.example:8889/demo/main/whip/1f"),
            ("http://sfu.example:8889/x/1", "http://sfu.example:8889/x/1"),
            ("https://elsewhere.example/x/1?a=b", "http://sfu.example:8889/x/1?a=b"),
            ("/x?y=z", "http://sfu.example:8889/x?y=z"),
        ] {
            assert_eq!(beside(&at, location).map(|at| at.to_string()).as_deref(), Some(expected), "{location}");
        }
        assert_eq!(beside(&at, ""), None);
    }
}
