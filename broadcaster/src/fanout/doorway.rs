//! Who comes in, as far as all of the fan-out has a say in it: where a viewer is placed, and what of the uplink is for it.

use protocol::{Code, Notice, PeerId, SessionRef, ToRobot, ToServer};

use super::{
    Fanout,
    audience::Input,
    now,
    switchboard::{Switchboard, Target},
    uplink::{Asks, Change},
};
use crate::{capture::Feed, media::Encoding};

impl Fanout {
    pub(super) fn handle_message(&mut self, message: ToRobot) {
        let allowed = match self.admit(&message) {
            Ok(allowed) => allowed,
            Err((to, about)) => {
                self.no_room(&message);
                tracing::warn!(viewer = %to, "viewer refused: the uplink has no room for another one");
                let notice = Notice::new(Code::Full, "the robot's uplink has no room for another viewer");
                // To the server it is not in what it had any more.
                let bye = ToRobot::Bye { viewer: to.clone() };
                if let (Target::One(shard), _) = self.switchboard.place(&bye) {
                    self.hand(shard, Input::Message(bye));
                }
                return self.say(ToServer::Notice { to, notice, about: Some(about) });
            }
        };
        let comes = matches!(message, ToRobot::Watcher { .. });
        let (target, leaves) = self.switchboard.place(&message);
        if let Some((former, viewer)) = leaves {
            self.hand(former, Input::Message(ToRobot::Bye { viewer }));
        }
        if let Target::One(shard) = target {
            let input = if let ToRobot::Watcher { viewer, ticket } = message {
                Input::Viewer { viewer, ticket, allowed }
            } else {
                Input::Message(message)
            };
            self.hand(shard, input);
        }
        // Who leaves is missed within a second, and a message in between changes nothing.
        if comes {
            self.judge_crowd();
        }
    }

    /// Whether the uplink has room for whoever wants to watch, and for which quality.
    fn admit(&mut self, message: &ToRobot) -> Result<usize, (PeerId, SessionRef)> {
        let ToRobot::Watcher { viewer, ticket } = message else { return Ok(0) };
        let Some(session) = Switchboard::session(viewer, ticket.as_ref()) else { return Ok(0) };
        // What it had before ends.
        let former = self.switchboard.session_of(viewer).filter(|former| **former != session);
        let camera =
            ticket.as_ref().map_or(Some(0), |ticket| self.feeds.iter().position(|feed| feed.info.id == ticket.camera));
        // Nobody gets pictures of a camera that there is not.
        let Some(camera) = camera else { return Ok(0) };
        let asks = ticket.as_ref().map_or_else(Asks::default, |ticket| Asks {
            camera,
            operates: ticket.operates,
            resumes: ticket.resumed,
            want: ticket.wishes.want.unwrap_or_default(),
        });
        if self.uplink.admit(&session, former, asks) {
            Ok(self.uplink.allowed(&session, now()).unwrap_or_default())
        } else {
            Err((viewer.clone(), SessionRef { session }))
        }
    }

    /// Says what others leave of the uplink to those for whom that has changed.
    pub(super) fn share(&mut self) {
        while let Some((session, change)) = self.uplink.poll_change(now()) {
            tracing::debug!(%session, ?change, "the uplink is shared anew");
            if let Some(shard) = self.switchboard.shard_of(&session) {
                let input = match change {
                    Change::Allow(rung) => Input::Allow(session, rung),
                    Change::Leave => Input::NoRoom(session),
                };
                self.hand(shard, input);
            }
        }
    }
}

/// What a camera's qualities take of the uplink: bits per second of each, and whether there is sound.
pub(super) fn weighed(feed: &Feed) -> (Vec<u32>, bool) {
    let rungs = feed.info.video.rungs.iter().map(|rung| rung.bitrate).collect();
    (rungs, feed.units.iter().any(|(encoding, _)| *encoding == Encoding::Audio))
}
