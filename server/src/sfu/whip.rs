//! Servers that take pictures by WHIP (RFC 9725) and give them by WHEP, such as MediaMTX.

use axum::http::HeaderValue;
use protocol::Sdp;

use super::client::{Client, Resource, SfuError};
use crate::{
    config::{Pattern, Whip as Config},
    rooms::Place,
};

pub(super) struct Whip {
    publish: Pattern,
    play: Pattern,
    authorization: Option<HeaderValue>,
}

impl Whip {
    pub(super) fn new(config: &Config) -> Self {
        let authorization = config.authorization.as_ref().and_then(|secret| {
            let mut value = HeaderValue::from_str(secret.expose()).ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        Self { publish: config.publish.clone(), play: config.play.clone(), authorization }
    }

    pub(super) async fn publish(
        &self,
        client: &Client,
        Place { robot, camera }: &Place,
        offer: &Sdp,
    ) -> Result<(Sdp, Resource), SfuError> {
        client.offer(&self.publish.of(robot, camera), self.authorization.clone(), offer).await
    }

    pub(super) async fn play(
        &self,
        client: &Client,
        Place { robot, camera }: &Place,
        offer: &Sdp,
    ) -> Result<(Sdp, Resource), SfuError> {
        client.offer(&self.play.of(robot, camera), self.authorization.clone(), offer).await
    }
}
