//! What a viewer's description says of itself, be it an offer or an answer.

use rtc_sdp::{MediaDescription, SessionDescription};

use super::SessionError;
use crate::{
    media::VideoCodec,
    transport::{Fingerprint, Remote, Role},
};

/// Where the viewer's end is, and who it is. `role` is ours, for what its `setup` says.
pub(super) fn remote(
    description: &SessionDescription,
    video: &MediaDescription,
    role: impl FnOnce(&str) -> Option<Role>,
) -> Result<Remote, SessionError> {
    let value = |key: &'static str| {
        let value = video.attribute(key).flatten().or_else(|| description.attribute(key).map(String::as_str));
        value.ok_or(SessionError::Missing(key))
    };
    let role = role(value("setup")?).ok_or(SessionError::Missing("setup"))?;
    let all =
        description.attributes.iter().chain(description.media_descriptions.iter().flat_map(|media| &media.attributes));
    let fingerprints: Vec<Fingerprint> = all
        .filter(|attribute| attribute.key == "fingerprint")
        .filter_map(|attribute| Fingerprint::parse(attribute.value.as_deref()?))
        .collect();
    if fingerprints.is_empty() {
        return Err(SessionError::Missing("fingerprint"));
    }
    Ok(Remote { ufrag: value("ice-ufrag")?.to_owned(), password: value("ice-pwd")?.to_owned(), fingerprints, role })
}

/// As they stand behind `a=`.
pub(super) fn candidates(description: &SessionDescription) -> Vec<String> {
    let sections = description.media_descriptions.iter();
    let all = sections.flat_map(|media| values(media, "candidate").map(|value| format!("candidate:{value}")));
    all.take(protocol::MAX_CANDIDATES).collect()
}

pub(super) fn media<'a>(description: &'a SessionDescription, kind: &str) -> Option<&'a MediaDescription> {
    description.media_descriptions.iter().find(|media| media.media_name.media == kind)
}

/// The first codec that we have, with its payload type and that of its retransmissions.
pub(super) fn picture(
    video: &MediaDescription,
    has: impl Fn(VideoCodec) -> bool,
) -> Result<(VideoCodec, u8, Option<u8>), SessionError> {
    let chosen = codecs(video).find_map(|(payload_type, name)| {
        let codec = match name.split('/').next()?.to_ascii_uppercase().as_str() {
            "H264" if is_sent(video, payload_type) => VideoCodec::H264,
            "VP8" => VideoCodec::Vp8,
            _ => return None,
        };
        has(codec).then_some((codec, payload_type))
    });
    let (codec, payload_type) = chosen.ok_or(SessionError::NoCodec)?;
    let repairs = |candidate: u8| {
        parameters(video, candidate).any(|(key, value)| key == "apt" && value.parse() == Ok(payload_type))
    };
    let repair = codecs(video)
        .find(|(candidate, name)| name.to_ascii_lowercase().starts_with("rtx/") && repairs(*candidate))
        .map(|(repair, _)| repair);
    Ok((codec, payload_type, repair))
}

/// Whether this is H.264 as we send it: cut into fragments where it must be, and of the baseline.
fn is_sent(video: &MediaDescription, payload_type: u8) -> bool {
    let value = |wanted: &str| parameters(video, payload_type).find(|(key, _)| *key == wanted).map(|(_, value)| value);
    let is_baseline = value("profile-level-id").is_none_or(|profile| profile.starts_with("42"));
    value("packetization-mode") == Some("1") && is_baseline
}

/// The payload type of the sound.
pub(super) fn opus(audio: &MediaDescription) -> Option<u8> {
    codecs(audio).find(|(_, name)| name.to_ascii_lowercase().starts_with("opus/")).map(|(payload_type, _)| payload_type)
}

/// The number that the viewer gives a header extension.
pub(super) fn extension(media: &MediaDescription, uri: &str) -> Option<u8> {
    values(media, "extmap").find_map(|value| {
        let mut fields = value.split_ascii_whitespace();
        let number = fields.next()?.split('/').next()?.parse().ok()?;
        (fields.next() == Some(uri)).then_some(number)
    })
}

/// Whether the viewer wants to receive this.
pub(super) fn is_taken(media: &MediaDescription) -> bool {
    let sends_nothing = media.has_attribute("inactive") || media.has_attribute("sendonly");
    media.media_name.port.value != 0 && !sends_nothing
}

/// Payload types with the codec that they stand for, in the viewer's order.
pub(super) fn codecs(media: &MediaDescription) -> impl Iterator<Item = (u8, &str)> {
    media.media_name.formats.iter().filter_map(|format| {
        let payload_type: u8 = format.parse().ok().filter(|payload_type| *payload_type < 128)?;
        let map = values(media, "rtpmap").find_map(|value| value.strip_prefix(format.as_str())?.strip_prefix(' '))?;
        Some((payload_type, map.trim()))
    })
}

/// A codec's parameters.
pub(super) fn parameters(media: &MediaDescription, payload_type: u8) -> impl Iterator<Item = (&str, &str)> {
    let lines = values(media, "fmtp").filter_map(move |value| {
        let (format, parameters) = value.split_once(' ')?;
        (format.parse() == Ok(payload_type)).then_some(parameters)
    });
    lines.flat_map(|parameters| parameters.split(';')).filter_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        Some((key.trim(), value.trim()))
    })
}

pub(super) fn values<'a>(media: &'a MediaDescription, key: &'a str) -> impl Iterator<Item = &'a str> {
    media
        .attributes
        .iter()
        .filter(move |attribute| attribute.key == key)
        .filter_map(|attribute| attribute.value.as_deref())
}
