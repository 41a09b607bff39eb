//! `/whep/{robot}`: pictures for players that speak WHEP (draft-ietf-wish-whep), which make the offer and get an answer.

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Extension, Path, RawQuery, State, rejection::PathRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{options, post},
};
use protocol::{
    CameraId, Candidate, CandidateError, Code, Description, DescriptionKind, IceServer, MAX_CANDIDATES, Notice,
    RobotId, Sdp, SdpError,
};

use super::{Caller, Shared, refuse};
use crate::{
    listen::ClientAddress,
    signalling::{Play, PlayerKey, Playing},
};

const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// The largest description that is relayed, and a byte, so that a larger one is told what is wrong.
const MAX_BODY: usize = protocol::MAX_SDP_BYTES + 1;

/// Pages of other sites ask first what they may say and read.
const FOR_PAGES: [(HeaderName, &str); 4] = [
    (header::ACCESS_CONTROL_ALLOW_METHODS, "POST, PATCH, DELETE"),
    (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, if-match"),
    (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    (HeaderName::from_static("accept-post"), SDP),
];

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/whep/{robot}", post(play).merge(options(preflight)))
        .route("/whep/{robot}/{session}", axum::routing::patch(trickle).delete(leave).merge(options(preflight)))
        .layer(DefaultBodyLimit::max(MAX_BODY))
}

async fn preflight() -> Response {
    (StatusCode::NO_CONTENT, FOR_PAGES).into_response()
}

async fn play(
    State(shared): State<Shared>,
    robot: Result<Path<RobotId>, PathRejection>,
    RawQuery(query): RawQuery,
    address: Option<Extension<ClientAddress>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Ok(Path(robot)) = robot else { return not_found("There is no such robot.") };
    let caller = match Caller::of(&headers, &shared).and_then(|caller| caller.may_watch(&robot).map(|()| caller)) {
        Ok(caller) => caller,
        Err(notice) => return refuse(&notice),
    };
    let offer = match offered(&headers, &body) {
        Ok(offer) => offer,
        Err(refusal) => return refusal.into_response(),
    };
    let camera = match camera(query.as_deref()) {
        Ok(camera) => camera,
        Err(()) => return not_found("There is no such camera. A camera is named by ?camera=<id>."),
    };
    let address = address.map_or(ClientAddress::NOBODY, |Extension(address)| address);
    let (path, pass) = (format!("/whep/{robot}"), caller.into_pass());
    match shared.players.play(Play { robot, camera, offer, pass, address }).await {
        Some(Ok(playing)) => created(&path, playing),
        Some(Err(Notice { code: Code::Unsupported | Code::Malformed, message })) => {
            (StatusCode::UNPROCESSABLE_ENTITY, format!("{message}\n")).into_response()
        }
        Some(Err(notice)) => refuse(&notice),
        None => (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response(),
    }
}

fn created(path: &str, Playing { key, answer, ice_servers }: Playing) -> Response {
    let location = format!("{path}/{}", key.as_str());
    let known = [
        (header::CONTENT_TYPE, SDP.to_owned()),
        (header::LOCATION, location),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "location, link, accept-patch".to_owned()),
        (HeaderName::from_static("accept-patch"), FRAGMENT.to_owned()),
    ];
    let mut response = (StatusCode::CREATED, known, answer.into_string()).into_response();
    for link in ice_servers.iter().flat_map(links) {
        response.headers_mut().append(header::LINK, link);
    }
    response
}

/// As the draft wants STUN and TURN servers to be named.
fn links(server: &IceServer) -> impl Iterator<Item = HeaderValue> {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    server.urls.iter().filter_map(move |url| {
        let mut link = format!("<{url}>; rel=\"ice-server\"");
        if let (Some(username), Some(credential)) = (&server.username, &server.credential) {
            let (username, credential) = (quoted(username), quoted(credential));
            link += &format!("; username=\"{username}\"; credential=\"{credential}\"; credential-type=\"password\"");
        }
        HeaderValue::from_str(&link).ok()
    })
}

async fn trickle(
    State(shared): State<Shared>,
    names: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Ok(Path((_, session))) = names else { return no_session() };
    if !is(&headers, FRAGMENT) {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("Candidates come as {FRAGMENT}.\n")).into_response();
    }
    let Ok(fragment) = std::str::from_utf8(&body) else {
        return (StatusCode::BAD_REQUEST, "This is no text.\n").into_response();
    };
    let candidates = match candidates(fragment) {
        Ok(candidates) => candidates,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    match shared.players.has_candidates(PlayerKey::from(session), candidates).await {
        Some(true) => StatusCode::NO_CONTENT.into_response(),
        Some(false) => no_session(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response(),
    }
}

async fn leave(State(shared): State<Shared>, names: Result<Path<(String, String)>, PathRejection>) -> Response {
    let Ok(Path((_, session))) = names else { return no_session() };
    match shared.players.leaves(PlayerKey::from(session)).await {
        Some(true) => StatusCode::OK.into_response(),
        Some(false) => no_session(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response(),
    }
}

fn offered(headers: &HeaderMap, body: &[u8]) -> Result<Description, (StatusCode, String)> {
    if !is(headers, SDP) {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("An offer comes as {SDP}.\n")));
    }
    let text = std::str::from_utf8(body).map_err(|_| (StatusCode::BAD_REQUEST, "This is no text.\n".to_owned()))?;
    let sdp = Sdp::try_from(text.to_owned()).map_err(|error| {
        let status = match error {
            SdpError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            SdpError::NotSdp | SdpError::Line(_) | SdpError::Media(_) => StatusCode::BAD_REQUEST,
        };
        (status, format!("{error}\n"))
    })?;
    Ok(Description { kind: DescriptionKind::Offer, sdp })
}

/// Whether a body is of this kind, whatever else is said of it.
fn is(headers: &HeaderMap, kind: &str) -> bool {
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    said.is_some_and(|said| said.split(';').next().is_some_and(|said| said.trim().eq_ignore_ascii_case(kind)))
}

fn camera(query: Option<&str>) -> Result<Option<CameraId>, ()> {
    let mut pairs = query.unwrap_or_default().split('&');
    let named = pairs.find_map(|pair| pair.strip_prefix("camera="));
    named.map(|name| name.parse().map_err(|_| ())).transpose()
}

/// Those of a fragment (RFC 8840), each with the section that it stands below.
fn candidates(fragment: &str) -> Result<Vec<Candidate>, CandidateError> {
    let (mut mid, mut candidates) = (None, Vec::new());
    for line in fragment.lines() {
        if let Some(name) = line.strip_prefix("a=mid:") {
            mid = Some(name.trim().to_owned());
        } else if let Some(candidate) = line.strip_prefix("a=candidate:").filter(|_| candidates.len() < MAX_CANDIDATES)
        {
            candidates.push(Candidate::new(format!("candidate:{}", candidate.trim()), mid.clone())?);
        }
    }
    Ok(candidates)
}

fn not_found(message: &'static str) -> Response {
    (StatusCode::NOT_FOUND, format!("{message}\n")).into_response()
}

fn no_session() -> Response {
    not_found("There is no such session: it may have ended.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_found_where_they_are() {
        let line = "a=candidate:1 1 udp 2113937151 192.0.2.1 51234 typ host";
        let fragment = format!(
            "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\nm=video 9 RTP/AVP 0\r\na=mid:0\r\n{line}\r\n\
             {line}\r\na=end-of-candidates\r\n"
        );
        let found = candidates(&fragment).expect("candidates");
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].candidate.as_str(), found[0].sdp_mid.as_deref()), (&line[2..], Some("0")));
        let flood = format!("{line}\n").repeat(1000);
        assert_eq!(candidates(&flood).expect("candidates").len(), MAX_CANDIDATES);
        assert!(candidates(&format!("a=candidate:{}", "x".repeat(30_000))).is_err());
        assert!(candidates("a=candidate:1 1 udp").is_err());
    }

    #[test]
    fn a_camera_may_be_named() {
        assert_eq!(camera(None), Ok(None));
        assert_eq!(camera(Some("x=1&camera=front")), Ok(Some("front".parse().expect("an id"))));
        assert_eq!(camera(Some("camera=a/b")), Err(()));
    }

    #[test]
    fn servers_are_named_as_players_expect() {
        let server = IceServer {
            urls: vec!["turn:turn.example:3478?transport=udp".to_owned()],
            username: Some("1700000000:demo".to_owned()),
            credential: Some("a\"b".to_owned()),
        };
        let named: Vec<HeaderValue> = links(&server).collect();
        let expected = "<turn:turn.example:3478?transport=udp>; rel=\"ice-server\"; username=\"1700000000:demo\"; \
                        credential=\"a\\\"b\"; credential-type=\"password\"";
        assert_eq!(named, [expected]);
    }
}
