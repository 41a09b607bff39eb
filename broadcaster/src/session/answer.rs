//! What a viewer's answer says: where its end is, who it is, and what it takes.

use std::io::Cursor;

use rtc_sdp::{MediaDescription, SessionDescription};

use super::{
    SessionError, channel,
    offer::{EXTENSIONS, Offer, SOUND_EXTENSIONS},
};
use crate::{
    delivery::{AudioFormat, Extensions, Format, id},
    media::VideoCodec,
    transport::{Fingerprint, Remote, Role},
};

pub(super) struct Answer {
    pub(super) remote: Remote,
    pub(super) format: Format,
    /// The viewer wants to hear how the robot leans.
    pub(super) attitude: bool,
    /// As they stand behind `a=`.
    pub(super) candidates: Vec<String>,
}

/// Reads an answer. Nothing of what it says is used before all of it is understood.
pub(super) fn parse(sdp: &str, offer: &Offer) -> Result<Answer, SessionError> {
    let description = SessionDescription::unmarshal(&mut Cursor::new(sdp)).map_err(SessionError::Answer)?;
    let media = |kind: &str| description.media_descriptions.iter().find(|media| media.media_name.media == kind);
    let video = media("video").filter(|media| is_taken(media)).ok_or(SessionError::NoCodec)?;
    let value = |key: &'static str| {
        let value = video.attribute(key).flatten().or_else(|| description.attribute(key).map(String::as_str));
        value.ok_or(SessionError::Missing(key))
    };
    let role = match value("setup")? {
        "active" => Role::Server,
        "passive" => Role::Client,
        _ => return Err(SessionError::Missing("setup")),
    };
    let all =
        description.attributes.iter().chain(description.media_descriptions.iter().flat_map(|media| &media.attributes));
    let fingerprints: Vec<Fingerprint> = all
        .filter(|attribute| attribute.key == "fingerprint")
        .filter_map(|attribute| Fingerprint::parse(attribute.value.as_deref()?))
        .collect();
    if fingerprints.is_empty() {
        return Err(SessionError::Missing("fingerprint"));
    }
    let remote =
        Remote { ufrag: value("ice-ufrag")?.to_owned(), password: value("ice-pwd")?.to_owned(), fingerprints, role };
    let sections = description.media_descriptions.iter();
    let candidates = sections
        .flat_map(|media| values(media, "candidate").map(|value| format!("candidate:{value}")))
        .take(protocol::MAX_CANDIDATES)
        .collect();
    let channel = |media: &MediaDescription| {
        media.media_name.port.value != 0 && values(media, "sctp-port").any(|port| port.parse() == Ok(channel::PORT))
    };
    let attitude = offer.attitude && media("application").is_some_and(channel);
    Ok(Answer { remote, format: format(video, media("audio"), offer)?, attitude, candidates })
}

fn format(video: &MediaDescription, audio: Option<&MediaDescription>, offer: &Offer) -> Result<Format, SessionError> {
    let chosen = codecs(video).find_map(|(payload_type, name)| {
        let codec = match name.split('/').next()?.to_ascii_uppercase().as_str() {
            // What cannot be cut into fragments could not be sent.
            "H264"
                if parameters(video, payload_type).any(|(key, value)| (key, value) == ("packetization-mode", "1")) =>
            {
                VideoCodec::H264
            }
            "VP8" => VideoCodec::Vp8,
            _ => return None,
        };
        offer.has(codec).then_some((codec, payload_type))
    });
    let (codec, payload_type) = chosen.ok_or(SessionError::NoCodec)?;
    let repairs = |candidate: u8| {
        parameters(video, candidate).any(|(key, value)| key == "apt" && value.parse() == Ok(payload_type))
    };
    let repair = codecs(video)
        .find(|(candidate, name)| name.to_ascii_lowercase().starts_with("rtx/") && repairs(*candidate))
        .map(|(repair, _)| repair);
    let opus = |media: &&MediaDescription| is_taken(media);
    let audio = audio.filter(opus).and_then(|media| {
        codecs(media)
            .find(|(_, name)| name.to_ascii_lowercase().starts_with("opus/"))
            .map(|(payload_type, _)| AudioFormat { payload_type, extensions: extensions(media, &SOUND_EXTENSIONS) })
    });
    Ok(Format { codec, payload_type, repair, audio, extensions: extensions(video, &EXTENSIONS) })
}

/// Those of the offered ones that the viewer takes.
fn extensions(media: &MediaDescription, offered: &[(u8, &str)]) -> Extensions {
    let takes = |wanted: u8| {
        values(media, "extmap").any(|value| {
            let mut fields = value.split_ascii_whitespace();
            let number = fields.next().and_then(|number| number.split('/').next()?.parse().ok());
            offered
                .iter()
                .any(|(ours, uri)| *ours == wanted && number == Some(*ours) && fields.clone().next() == Some(uri))
        })
    };
    Extensions {
        transport_cc: takes(id::TRANSPORT_CC),
        abs_send_time: takes(id::ABS_SEND_TIME),
        abs_capture_time: takes(id::ABS_CAPTURE_TIME),
        playout_delay: takes(id::PLAYOUT_DELAY),
    }
}

/// Whether the viewer wants to receive this.
fn is_taken(media: &MediaDescription) -> bool {
    let sends_nothing = media.has_attribute("inactive") || media.has_attribute("sendonly");
    media.media_name.port.value != 0 && !sends_nothing
}

/// Payload types with the codec that they stand for, in the viewer's order.
fn codecs(media: &MediaDescription) -> impl Iterator<Item = (u8, &str)> {
    media.media_name.formats.iter().filter_map(|format| {
        let payload_type: u8 = format.parse().ok().filter(|payload_type| *payload_type < 128)?;
        let map = values(media, "rtpmap").find_map(|value| value.strip_prefix(format.as_str())?.strip_prefix(' '))?;
        Some((payload_type, map.trim()))
    })
}

/// A codec's parameters.
fn parameters(media: &MediaDescription, payload_type: u8) -> impl Iterator<Item = (&str, &str)> {
    let lines = values(media, "fmtp").filter_map(move |value| {
        let (format, parameters) = value.split_once(' ')?;
        (format.parse() == Ok(payload_type)).then_some(parameters)
    });
    lines.flat_map(|parameters| parameters.split(';')).filter_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        Some((key.trim(), value.trim()))
    })
}

fn values<'a>(media: &'a MediaDescription, key: &'a str) -> impl Iterator<Item = &'a str> {
    media
        .attributes
        .iter()
        .filter(move |attribute| attribute.key == key)
        .filter_map(|attribute| attribute.value.as_deref())
}
