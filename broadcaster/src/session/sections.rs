//! What a viewer's description says of itself, be it an offer or an answer.

use std::collections::{BTreeMap, BTreeSet};

use rtc_sdp::{MediaDescription, SessionDescription};

use super::SessionError;
use crate::{
    media::VideoCodec,
    transport::{Fingerprint, Remote, Role},
};

/// More formats than there are numbers for are somebody's joke.
const MAX_FORMATS: usize = 128;

/// Where the viewer's end is, and who it is. What the picture's section leaves out, since it goes with another one, stands in
/// `tagged`. `role` is ours, for what its `setup` says.
pub(super) fn remote(
    description: &SessionDescription,
    video: &MediaDescription,
    tagged: Option<&MediaDescription>,
    role: impl FnOnce(&str) -> Option<Role>,
) -> Result<Remote, SessionError> {
    let value = |key: &'static str| {
        let own = |media: &'_ MediaDescription| media.attribute(key).flatten().map(str::to_owned);
        let value = own(video).or_else(|| description.attribute(key).cloned()).or_else(|| tagged.and_then(own));
        value.ok_or(SessionError::Missing(key))
    };
    let role = role(&value("setup")?).ok_or(SessionError::Missing("setup"))?;
    let all =
        description.attributes.iter().chain(description.media_descriptions.iter().flat_map(|media| &media.attributes));
    let fingerprints: Vec<Fingerprint> = all
        .filter(|attribute| attribute.key == "fingerprint")
        .filter_map(|attribute| Fingerprint::parse(attribute.value.as_deref()?))
        .collect();
    if fingerprints.is_empty() {
        return Err(SessionError::Missing("fingerprint"));
    }
    let is_lite = description.has_attribute("ice-lite");
    Ok(Remote { ufrag: value("ice-ufrag")?, password: value("ice-pwd")?, fingerprints, role, is_lite })
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

/// A format of the picture that we could send.
#[derive(Clone, Debug)]
pub(super) struct PictureFormat<'a> {
    pub(super) codec: VideoCodec,
    pub(super) payload_type: u8,
    /// Its retransmissions.
    pub(super) repair: Option<u8>,
    /// As they stand behind its number.
    pub(super) parameters: Option<&'a str>,
}

impl PictureFormat<'_> {
    pub(super) fn parameter(&self, wanted: &str) -> Option<&str> {
        parameter(self.parameters, wanted)
    }
}

/// All of them, in the viewer's order. H.264 only of the baseline, and not where it must not be cut into fragments.
pub(super) fn pictures(video: &MediaDescription) -> Vec<PictureFormat<'_>> {
    let formats = Formats::of(video);
    let repair = |payload_type: u8| {
        formats.all.iter().copied().find(|other| {
            let apt = parameter(formats.parameters.get(other).copied(), "apt");
            formats.is(*other, "rtx") && apt.and_then(|apt| apt.parse().ok()) == Some(payload_type)
        })
    };
    let known = formats.all.iter().copied().filter_map(|payload_type| {
        let parameters = formats.parameters.get(&payload_type).copied();
        let codec = if formats.is(payload_type, "VP8") {
            VideoCodec::Vp8
        } else if formats.is(payload_type, "H264")
            && parameter(parameters, "packetization-mode").is_none_or(|mode| mode == "1")
            && parameter(parameters, "profile-level-id").is_none_or(|profile| profile.starts_with("42"))
        {
            VideoCodec::H264
        } else {
            return None;
        };
        Some(PictureFormat { codec, payload_type, repair: repair(payload_type), parameters })
    });
    known.collect()
}

/// The payload type of the sound.
pub(super) fn opus(audio: &MediaDescription) -> Option<u8> {
    let formats = Formats::of(audio);
    formats.all.iter().copied().find(|payload_type| formats.is(*payload_type, "opus"))
}

/// The number that the viewer gives a header extension.
pub(super) fn extension(media: &MediaDescription, uri: &str) -> Option<u8> {
    values(media, "extmap").find_map(|value| {
        let mut fields = value.split_ascii_whitespace();
        let number = fields.next()?.split('/').next()?.parse().ok()?;
        (fields.next() == Some(uri)).then_some(number)
    })
}

/// Whether the viewer wants to receive this. A section that goes with another one need have no port of its own.
pub(super) fn is_taken(media: &MediaDescription) -> bool {
    let sends_nothing = media.has_attribute("inactive") || media.has_attribute("sendonly");
    let is_there = media.media_name.port.value != 0 || media.has_attribute("bundle-only");
    is_there && !sends_nothing
}

pub(super) fn values<'a>(media: &'a MediaDescription, key: &'a str) -> impl Iterator<Item = &'a str> {
    media
        .attributes
        .iter()
        .filter(move |attribute| attribute.key == key)
        .filter_map(|attribute| attribute.value.as_deref())
}

/// A section's formats, each once, with what is said of them.
struct Formats<'a> {
    /// In the viewer's order.
    all: Vec<u8>,
    names: BTreeMap<u8, &'a str>,
    parameters: BTreeMap<u8, &'a str>,
}

impl<'a> Formats<'a> {
    fn of(media: &'a MediaDescription) -> Self {
        let said = |key| {
            let lines = values(media, key).filter_map(|value| value.split_once(' '));
            lines.filter_map(|(number, said)| Some((number.parse().ok()?, said.trim()))).collect()
        };
        let mut seen = BTreeSet::new();
        let numbers = media.media_name.formats.iter().filter_map(|format| format.parse().ok());
        let all = numbers.filter(|number| *number < 128 && seen.insert(*number)).take(MAX_FORMATS).collect();
        Self { all, names: said("rtpmap"), parameters: said("fmtp") }
    }

    fn is(&self, payload_type: u8, codec: &str) -> bool {
        let name = self.names.get(&payload_type).and_then(|name| name.split('/').next());
        name.is_some_and(|name| name.eq_ignore_ascii_case(codec))
    }
}

fn parameter<'a>(parameters: Option<&'a str>, wanted: &str) -> Option<&'a str> {
    let pairs = parameters?.split(';').filter_map(|parameter| parameter.split_once('='));
    pairs.map(|(key, value)| (key.trim(), value.trim())).find(|(key, _)| *key == wanted).map(|(_, value)| value)
}
