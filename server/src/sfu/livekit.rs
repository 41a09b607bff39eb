//! LiveKit: a room for each camera of each robot, in which the robot publishes and viewers listen.
//!
//! Viewers are hidden from each other: a room tells everybody in it of everybody else, which a crowd would drown in.

use std::{collections::BTreeSet, time::Duration};

use axum::http::HeaderValue;
use daemon::secret::Secret;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use protocol::{MediaToken, Sdp, SessionId};
use serde::{Deserialize, Serialize};

use super::{
    client::{Client, Resource, SfuError},
    unix_time,
};
use crate::{
    auth::signing,
    config::{Livekit as Config, SfuUrl},
    rooms::Place,
};

/// For one request.
const REQUEST: Duration = Duration::from_secs(60);

/// For a page to join by. Whoever has joined stays until it is sent away.
const JOINED_WITHIN: Duration = Duration::from_secs(120);

/// Clocks differ.
const EARLIER: u64 = 30;

/// As whom the robot is known in the rooms of its cameras.
const ROBOT: &str = "robot";

pub(super) struct Livekit {
    url: SfuUrl,
    for_pages: String,
    key: String,
    secret: EncodingKey,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    nbf: u64,
    exp: u64,
    video: Grant<'a>,
}

/// What its holder may do.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Grant<'a> {
    room: &'a str,
    room_join: bool,
    room_admin: bool,
    can_publish: bool,
    can_subscribe: bool,
    can_publish_data: bool,
    hidden: bool,
}

/// Who is in a room.
#[derive(Deserialize)]
struct Listed {
    #[serde(default)]
    participants: Vec<Participant>,
}

#[derive(Deserialize)]
struct Participant {
    identity: String,
}

impl Livekit {
    pub(super) fn new(Config { url, public_url, key, secret }: &Config) -> Self {
        signing::install();
        let for_pages = public_url.as_ref().unwrap_or(url).for_pages();
        Self { url: url.clone(), for_pages, key: key.clone(), secret: key_of(secret) }
    }

    /// Where and by which token a viewer joins.
    pub(super) fn admission(
        &self,
        session: &SessionId,
        place: &Place,
        left: Option<Duration>,
        now: u64,
    ) -> (String, MediaToken) {
        let room = room(place);
        let grant = Grant { room: &room, room_join: true, can_subscribe: true, hidden: true, ..Grant::default() };
        let lasts = left.map_or(JOINED_WITHIN, |left| left.min(JOINED_WITHIN));
        (self.for_pages.clone(), MediaToken::new(self.token(&identity(session), grant, lasts, now)))
    }

    pub(super) async fn publish(
        &self,
        client: &Client,
        place: &Place,
        offer: &Sdp,
    ) -> Result<(Sdp, Resource), SfuError> {
        let room = room(place);
        let grant =
            Grant { room: &room, room_join: true, can_publish: true, can_publish_data: true, ..Grant::default() };
        let bearer = self.bearer(ROBOT, grant);
        client.offer(&self.url.at("/whip/v1"), Some(bearer), offer).await
    }

    pub(super) async fn unpublish(&self, client: &Client, place: &Place) {
        self.remove_participant(client, place, ROBOT).await;
    }

    pub(super) async fn remove(&self, client: &Client, place: &Place, session: &SessionId) {
        self.remove_participant(client, place, &identity(session)).await;
    }

    /// Removes those of these who are in the room.
    pub(super) async fn send_away(&self, client: &Client, place: &Place, sessions: &BTreeSet<SessionId>) {
        let room = room(place);
        let bearer = self.bearer("", Grant { room: &room, room_admin: true, ..Grant::default() });
        let to = self.url.at("/twirp/livekit.RoomService/ListParticipants");
        let listed = client.call(&to, bearer, serde_json::json!({ "room": room }).to_string()).await;
        let there = match listed.map(|body| serde_json::from_slice::<Listed>(&body)) {
            Ok(Ok(there)) => there.participants,
            Ok(Err(error)) => return tracing::warn!(%error, "LiveKit does not say who is there"),
            Err(error) => {
                return tracing::debug!(error = &error as &dyn std::error::Error, "LiveKit does not say who is there");
            }
        };
        let barred: BTreeSet<String> = sessions.iter().map(identity).collect();
        for Participant { identity } in there.into_iter().filter(|there| barred.contains(&there.identity)) {
            self.remove_participant(client, place, &identity).await;
        }
    }

    /// Whoever is not there need not be removed.
    async fn remove_participant(&self, client: &Client, place: &Place, identity: &str) {
        let room = room(place);
        let bearer = self.bearer("", Grant { room: &room, room_admin: true, ..Grant::default() });
        let body = serde_json::json!({ "room": room, "identity": identity }).to_string();
        let to = self.url.at("/twirp/livekit.RoomService/RemoveParticipant");
        match client.call(&to, bearer, body).await {
            Ok(_) | Err(SfuError::Refused(axum::http::StatusCode::NOT_FOUND, _)) => {}
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "somebody may still be at the media server");
            }
        }
    }

    fn bearer(&self, identity: &str, grant: Grant<'_>) -> HeaderValue {
        let token = self.token(identity, grant, REQUEST, unix_time());
        let mut value = HeaderValue::try_from(format!("Bearer {token}")).expect("tokens are plain");
        value.set_sensitive(true);
        value
    }

    fn token(&self, identity: &str, video: Grant<'_>, lasts: Duration, now: u64) -> String {
        let (nbf, exp) = (now.saturating_sub(EARLIER), now + lasts.as_secs() + EARLIER);
        let claims = Claims { iss: &self.key, sub: identity, nbf, exp, video };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.secret).expect("claims are plain JSON")
    }
}

fn key_of(secret: &Secret) -> EncodingKey {
    EncodingKey::from_secret(secret.expose().as_bytes())
}

fn room(Place { robot, camera }: &Place) -> String {
    format!("{robot}/{camera}")
}

/// What tells sessions apart without opening them.
fn identity(session: &SessionId) -> String {
    use sha1::{Digest, Sha1};
    let digest = Sha1::digest(session.as_str());
    let tag: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("viewer-{tag}")
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation};

    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn a_viewer_may_listen_in_one_room_and_nothing_else() {
        let config = Config {
            url: "http://sfu.example:7880".parse().unwrap_or_else(|_| panic!("a URL")),
            public_url: None,
            key: "north".to_owned(),
            secret: Secret::from(SECRET.to_owned()),
        };
        let livekit = Livekit::new(&config);
        let place = Place { robot: "demo".parse().expect("an id"), camera: "main".parse().expect("an id") };
        let session: SessionId = "s1".parse().expect("an id");
        let (url, token) = livekit.admission(&session, &place, Some(Duration::from_secs(50)), 1_000_000);
        assert_eq!(url, "ws://sfu.example:7880");
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        let key = DecodingKey::from_secret(SECRET.as_bytes());
        let claims: serde_json::Value =
            jsonwebtoken::decode(token.as_str(), &key, &validation).expect("it is signed").claims;
        assert_eq!(claims["iss"], "north");
        assert_eq!(claims["exp"], 1_000_080);
        let sub = claims["sub"].as_str().expect("a name");
        assert!(sub.starts_with("viewer-") && !sub.contains("s1"), "{sub}");
        let expected = serde_json::json!({
            "room": "demo/main", "roomJoin": true, "roomAdmin": false, "canPublish": false, "canSubscribe": true,
            "canPublishData": false, "hidden": true,
        });
        assert_eq!(claims["video"], expected);
    }
}
