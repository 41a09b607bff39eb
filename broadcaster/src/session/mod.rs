//! One viewer: negotiation, its way, what it gets, and when to give up on it.
//!
//! Nothing here knows a socket, a task or a clock: whoever owns a session feeds it messages, datagrams and the time, shows it
//! the camera's rings, and then takes what it wants said, sent and known.

mod answer;
mod attitude;
mod channel;
mod end;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod mending;
mod negotiation;
mod offer;
mod reply;
mod sections;
mod telling;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use protocol::{Candidate, Notice, PeerId, SessionId, SessionRef, ToServer, Wishes};

use crate::{
    delivery::{Bounds, Burst, Counters, Delivery, Format, Qualities, Terms, Watched},
    media::{Encoding, Rings, VideoCodec},
    srtp::Keys,
    transport::{Credentials, Datagram, Identity, Local, Path, Transport, TransportEvent, Ufrag},
};
use channel::Channel;
pub(crate) use end::{SessionEnd, SessionError};
use mending::Mending;
use offer::Offer;

/// A page needs a moment to make its answer, and a hidden tab's timers are slowed down to one a second.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Trying all pairs of candidates takes a few seconds where most of them lead nowhere.
const CONNECT_WITHIN: Duration = Duration::from_secs(20);

/// What a session wants known.
#[derive(Debug)]
pub(crate) enum SessionEvent {
    Say(ToServer),
    /// It goes by another name from now on, too.
    Named(Ufrag),
    /// The viewer has shown to be there.
    Proven(SocketAddr),
    /// An address that hides behind a name.
    Name(String),
    /// An address that relays must let through.
    Peer(SocketAddr),
    /// Media can flow.
    Connected,
    /// The viewer hears how the robot leans from now on.
    Listens,
    Ended(SessionEnd),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The viewer's, if it makes the offer.
    AwaitingOffer {
        until: Instant,
    },
    AwaitingAnswer {
        until: Instant,
    },
    Connecting {
        until: Instant,
    },
    Live,
    Ended,
}

/// What a session is made for.
pub(crate) struct Invitation<'a> {
    pub(crate) id: SessionId,
    pub(crate) viewer: PeerId,
    pub(crate) wishes: Wishes,
    /// Whether the camera leans with the robot, and it is known how.
    pub(crate) leans: bool,
    /// Whether another offer can follow the first: pages of the family take it for a new session's.
    pub(crate) renegotiates: bool,
    /// Bits per second of the camera's qualities, best first.
    pub(crate) qualities: Qualities,
    /// The place of the best of them that the uplink has room for.
    pub(crate) allowed: usize,
    pub(crate) addresses: &'a Addresses,
}

/// Where we can be reached, as of now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// Those that packets leave from.
    pub(crate) local: Vec<Local>,
    /// What others see of them, as lines of a session description.
    pub(crate) reflexive: Vec<String>,
}

pub(crate) struct Session {
    id: SessionId,
    viewer: PeerId,
    wishes: Wishes,
    renegotiates: bool,
    qualities: Qualities,
    allowed: usize,
    identity: Identity,
    phase: Phase,
    transport: Transport,
    offer: Offer,
    format: Option<Format>,
    delivery: Option<Delivery>,
    mending: Mending,
    channel: Option<Channel>,
    /// Ours, until the viewer has made its offer.
    credentials: Option<Credentials>,
    /// Candidates that came before the description they belong to.
    early: Vec<Candidate>,
    /// The encoding whose keyframe should be there when the viewer is.
    early_wish: Option<Encoding>,
    events: VecDeque<SessionEvent>,
    /// When the server was last told of it, and how many bytes the viewer had got by then.
    reported: Option<(Instant, u64)>,
}

impl Session {
    /// Makes the offer, which is the first thing that the session wants said, or waits for the viewer's.
    pub(crate) fn open(
        invitation: Invitation<'_>,
        identity: &Identity,
        rings: &Rings,
        now: Instant,
    ) -> Result<Self, SessionError> {
        let Invitation { id, viewer, wishes, leans, renegotiates, qualities, allowed, addresses } = invitation;
        let (transport, credentials) = Transport::new(identity, !wishes.offers, &addresses.local, now)?;
        let accepts = |codec| wishes.codecs.is_empty() || wishes.codecs.contains(&named(codec));
        let offer = Offer::new(rings, accepts, leans && wishes.attitude);
        let (offers, until) = (wishes.offers, now + ANSWER_WITHIN);
        let mut session = Self {
            id,
            viewer,
            wishes,
            renegotiates: renegotiates && !offers,
            qualities,
            allowed,
            identity: identity.clone(),
            phase: if offers { Phase::AwaitingOffer { until } } else { Phase::AwaitingAnswer { until } },
            transport,
            offer,
            format: None,
            delivery: None,
            mending: Mending::default(),
            channel: None,
            credentials: None,
            early: Vec::new(),
            early_wish: None,
            events: VecDeque::new(),
            reported: None,
        };
        let expected = session.expects();
        session.early_wish = rings.get(expected).fresh_keyframe(now).is_none().then_some(expected);
        if offers {
            session.credentials = Some(credentials);
        } else {
            session.say_offer(credentials, addresses)?;
        }
        Ok(session)
    }

    fn about(&self) -> Option<SessionRef> {
        Some(SessionRef { session: self.id.clone() })
    }

    pub(crate) fn id(&self) -> &SessionId {
        &self.id
    }

    pub(crate) fn viewer(&self) -> &PeerId {
        &self.viewer
    }

    pub(crate) fn is_live(&self) -> bool {
        self.phase == Phase::Live
    }

    pub(crate) fn counters(&self) -> Counters {
        self.delivery.as_ref().map(Delivery::counters).unwrap_or_default()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.phase == Phase::Ended
    }

    fn bounds(&self) -> Bounds {
        Bounds { want: self.wishes.want.unwrap_or_default(), allowed: self.allowed }
    }

    /// The place of the quality that the viewer is sent, once it is known.
    pub(crate) fn gets(&self) -> Option<usize> {
        self.delivery.as_ref().map(Delivery::gets)
    }

    /// The robot's uplink has room for this quality from now on, and for no better one.
    pub(crate) fn allow(&mut self, allowed: usize, rings: &Rings, now: Instant) {
        self.allowed = allowed;
        let bounds = self.bounds();
        if let Some(delivery) = &mut self.delivery {
            delivery.bound(bounds, rings, now);
        }
    }

    /// The encodings that have to run for this viewer.
    pub(crate) fn watches(&self) -> Watched {
        match self.phase {
            Phase::AwaitingOffer { .. } | Phase::AwaitingAnswer { .. } | Phase::Connecting { .. } => {
                Watched::only(self.expects())
            }
            Phase::Live => self.delivery.as_ref().map(Delivery::watches).unwrap_or_default(),
            Phase::Ended => Watched::default(),
        }
    }

    /// What the viewer will watch once it is connected, as far as is known: an encoder takes as long to begin as a viewer
    /// to connect, and so both do it at the same time.
    fn expects(&self) -> Encoding {
        let codec = self.format.as_ref().map_or(self.offer.preferred(), |format| format.codec);
        let Bounds { want, allowed } = self.bounds();
        let wanted = usize::from(want.rung.unwrap_or_default()).max(allowed).min(self.qualities.lowest());
        Encoding::Video { rung: u8::try_from(wanted).expect("a handful of rungs"), codec }
    }

    /// The encoding whose keyframe the viewer cannot go on without, once.
    pub(crate) fn take_wanted(&mut self) -> Option<Encoding> {
        let early = self.early_wish.take();
        self.delivery.as_mut().and_then(Delivery::take_wanted).or(early)
    }

    /// The bits per second that its path carried when that was too little for what it is sent, once.
    pub(crate) fn take_squeezed(&mut self) -> Option<f64> {
        self.delivery.as_mut().and_then(Delivery::take_squeezed)
    }

    pub(crate) fn resolved(&mut self, name: &str, address: IpAddr, rings: &Rings, now: Instant) {
        self.transport.resolved(name, address, now);
        self.pump(rings, now);
    }

    pub(crate) fn handle_datagram(&mut self, datagram: Datagram, addresses: &Addresses, rings: &Rings, now: Instant) {
        let from = datagram.from;
        if let Some(feedback) = self.transport.handle_datagram(datagram, now)
            && let Some(delivery) = &mut self.delivery
        {
            if delivery.handle_feedback(&feedback, rings, now) {
                self.transport.heard(from, now);
            }
            return;
        }
        self.pump(rings, now);
        self.mend(addresses, now);
    }

    pub(crate) fn handle_timeout(&mut self, addresses: &Addresses, rings: &Rings, now: Instant) {
        match self.phase {
            Phase::AwaitingOffer { until } | Phase::AwaitingAnswer { until } if now >= until => {
                return self.end(SessionEnd::NoAnswer, now);
            }
            Phase::Connecting { until } if now >= until => return self.end(SessionEnd::NotConnected, now),
            Phase::AwaitingOffer { .. } | Phase::AwaitingAnswer { .. } | Phase::Connecting { .. } | Phase::Live => {}
            Phase::Ended => return,
        }
        self.transport.handle_timeout(now);
        if let Some(channel) = &mut self.channel {
            channel.handle_timeout(now);
        }
        self.pass_on(now);
        if let Some(delivery) = &mut self.delivery {
            delivery.handle_timeout(rings, now);
        }
        self.pump(rings, now);
        self.mend(addresses, now);
    }

    pub(crate) fn poll_timeout(&mut self, rings: &Rings) -> Option<Instant> {
        let transport = self.transport.poll_timeout();
        let own = match self.phase {
            Phase::AwaitingOffer { until } | Phase::AwaitingAnswer { until } | Phase::Connecting { until } => {
                Some(until)
            }
            Phase::Live => {
                let delivery = self.delivery.as_ref().and_then(|delivery| delivery.poll_timeout(rings));
                let channel = self.channel.as_ref().and_then(Channel::poll_timeout);
                [delivery, channel, self.mending.poll_timeout()].into_iter().flatten().min()
            }
            Phase::Ended => return None,
        };
        [transport, own].into_iter().flatten().min()
    }

    /// Fills the burst with what media leaves next, which may be nothing, and says which way.
    pub(crate) fn poll_media(&mut self, rings: &Rings, now: Instant, burst: &mut Burst) -> Option<Path> {
        burst.clear();
        let path = self.transport.path().filter(|_| self.is_live())?;
        match self.delivery.as_mut()?.poll(rings, now, burst) {
            Ok(()) if burst.is_empty() => None,
            Ok(()) => {
                self.transport.sends(now);
                Some(path)
            }
            Err(error) => {
                self.end(SessionEnd::Failed(error.into()), now);
                None
            }
        }
    }

    /// Whether there may be more media to send at this instant.
    pub(crate) fn has_more_media(&self, rings: &Rings, now: Instant) -> bool {
        self.is_live() && self.delivery.as_ref().is_some_and(|delivery| delivery.has_more(rings, now))
    }

    pub(crate) fn poll_transmit(&mut self, rings: &Rings, now: Instant) -> Option<Datagram> {
        if let Some(datagram) = self.transport.poll_transmit() {
            return Some(datagram);
        }
        let Path { local, remote } = self.transport.path().filter(|_| self.is_live())?;
        match self.delivery.as_mut()?.poll_report(rings, now) {
            Ok(report) => report.map(|data| Datagram { data, from: local, to: remote }),
            Err(error) => {
                self.end(SessionEnd::Failed(error.into()), now);
                None
            }
        }
    }

    pub(crate) fn poll_event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }

    /// Ends it, and tells the viewer, if it has not told us. What is left to transmit says goodbye.
    pub(crate) fn end(&mut self, end: SessionEnd, now: Instant) {
        if self.phase == Phase::Ended {
            return;
        }
        self.phase = Phase::Ended;
        self.transport.close(now);
        if let Some(notice) = end.notice(self.wishes.offers) {
            self.tell(notice);
        }
        self.events.push_back(SessionEvent::Ended(end));
    }

    /// Has the viewer told something about its session.
    pub(crate) fn tell(&mut self, notice: Notice) {
        let message = ToServer::Notice { to: self.viewer.clone(), notice, about: self.about() };
        self.events.push_back(SessionEvent::Say(message));
    }

    fn pump(&mut self, rings: &Rings, now: Instant) {
        while let Some(event) = self.transport.poll_event() {
            match event {
                TransportEvent::Path(path) => tracing::debug!(viewer = %self.viewer, ?path, "path chosen"),
                TransportEvent::Found => {
                    if let Some(delivery) = &mut self.delivery {
                        delivery.begin_anew(rings, now);
                    }
                }
                TransportEvent::Keys(keys) => {
                    if let Err(error) = self.begin(keys, rings, now) {
                        self.end(SessionEnd::Failed(error), now);
                    }
                }
                TransportEvent::Disconnected => self.mending.wish(),
                TransportEvent::Proven(address) => self.events.push_back(SessionEvent::Proven(address)),
                TransportEvent::Name(name) => self.events.push_back(SessionEvent::Name(name)),
                TransportEvent::Peer(address) => self.events.push_back(SessionEvent::Peer(address)),
                TransportEvent::Data(data) => {
                    if self.channel.as_mut().is_some_and(|channel| channel.handle(data, now)) && self.is_live() {
                        self.events.push_back(SessionEvent::Listens);
                    }
                    self.pass_on(now);
                }
                TransportEvent::Closed => self.end(SessionEnd::Left, now),
                TransportEvent::Failed(None) => self.end(SessionEnd::ConnectionLost, now),
                TransportEvent::Failed(Some(error)) => self.end(SessionEnd::Failed(error.into()), now),
            }
        }
        let connected = self.delivery.is_some() && self.transport.path().is_some();
        if connected && matches!(self.phase, Phase::Connecting { .. }) {
            self.phase = Phase::Live;
            self.reported = Some((now, 0));
            self.events.push_back(SessionEvent::Connected);
            // The keys may have been agreed on before the path was.
            if self.listens() {
                self.events.push_back(SessionEvent::Listens);
            }
        }
    }

    fn begin(&mut self, keys: Keys, rings: &Rings, now: Instant) -> Result<(), SessionError> {
        let format = self.format.clone().ok_or(SessionError::NoCodec)?;
        let terms = Terms {
            format,
            streams: self.offer.streams.clone(),
            qualities: self.qualities.clone(),
            bounds: self.bounds(),
        };
        self.delivery = Some(Delivery::new(keys, terms, self.identity.crypto.crypto(), rings, now)?);
        Ok(())
    }
}

fn named(codec: VideoCodec) -> protocol::VideoCodec {
    match codec {
        VideoCodec::H264 => protocol::VideoCodec::H264,
        VideoCodec::Vp8 => protocol::VideoCodec::Vp8,
    }
}
