//! What a viewer's answer says: where its end is, who it is, and what it takes.

use std::io::Cursor;

use rtc_sdp::{MediaDescription, SessionDescription};

use super::{
    SessionError, channel,
    offer::{EXTENSIONS, Offer, SOUND_EXTENSIONS},
    sections::{PictureFormat, candidates, extension, is_taken, media, opus, pictures, remote, values},
};
use crate::{
    delivery::{AudioFormat, ExtensionId, Extensions, Format, id},
    media::VideoCodec,
    transport::{Remote, Role},
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
    let description = SessionDescription::unmarshal(&mut Cursor::new(sdp)).map_err(SessionError::Theirs)?;
    let video = media(&description, "video").filter(|media| is_taken(media)).ok_or(SessionError::NoCodec)?;
    let remote = remote(&description, video, None, |setup| match setup {
        "active" => Some(Role::Server),
        "passive" => Some(Role::Client),
        _ => None,
    })?;
    // What was offered can be cut into fragments, and so must be what is taken of it.
    let is_ours = |format: &PictureFormat<'_>| {
        let fragments = format.codec != VideoCodec::H264 || format.parameter("packetization-mode").is_some();
        offer.has(format.codec) && fragments
    };
    let chosen = pictures(video).into_iter().find(is_ours).ok_or(SessionError::NoCodec)?;
    let PictureFormat { codec, payload_type, repair, .. } = chosen;
    let audio = media(&description, "audio").filter(|media| is_taken(media)).and_then(|media| {
        Some(AudioFormat { payload_type: opus(media)?, extensions: extensions(media, &SOUND_EXTENSIONS) })
    });
    let format = Format { codec, payload_type, repair, audio, extensions: extensions(video, &EXTENSIONS) };
    let channel = |media: &MediaDescription| {
        media.media_name.port.value != 0 && values(media, "sctp-port").any(|port| port.parse() == Ok(channel::PORT))
    };
    let attitude = offer.attitude && media(&description, "application").is_some_and(channel);
    Ok(Answer { remote, format, attitude, candidates: candidates(&description) })
}

/// Those of the offered ones that the viewer takes, under the numbers that they were offered with.
fn extensions(media: &MediaDescription, offered: &[(u8, &str)]) -> Extensions {
    let takes = |wanted: u8| {
        let (ours, uri) = offered.iter().find(|(ours, _)| *ours == wanted)?;
        extension(media, uri).filter(|number| number == ours).and_then(ExtensionId::new)
    };
    Extensions {
        transport_cc: takes(id::TRANSPORT_CC),
        abs_send_time: takes(id::ABS_SEND_TIME),
        abs_capture_time: takes(id::ABS_CAPTURE_TIME),
        playout_delay: takes(id::PLAYOUT_DELAY),
    }
}
