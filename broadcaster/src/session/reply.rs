//! An answer of ours to a viewer that makes the offer itself: players that speak WHEP do.

use std::{fmt::Write, io::Cursor};

use rtc_sdp::{MediaDescription, SessionDescription};

use super::{
    SessionError,
    offer::{EXTENSIONS, H264_FORMAT, Offer, SOUND_EXTENSIONS},
    sections::{candidates, extension, is_taken, opus, picture, remote, values},
};
use crate::{
    delivery::{AudioFormat, ExtensionId, Extensions, Format, Streams, id},
    media::VideoCodec,
    transport::{Credentials, Fingerprint, Remote, Role},
};

/// What a viewer has offered to receive.
pub(super) struct Offered {
    pub(super) remote: Remote,
    pub(super) format: Format,
    pub(super) candidates: Vec<String>,
    description: SessionDescription,
    /// The places of the sections that we send in.
    video: usize,
    audio: Option<usize>,
}

/// Reads an offer. Nothing of what it says is used before all of it is understood.
pub(super) fn parse(sdp: &str, ours: &Offer) -> Result<Offered, SessionError> {
    let description = SessionDescription::unmarshal(&mut Cursor::new(sdp)).map_err(SessionError::Answer)?;
    let place = |kind: &str| {
        let mut sections = description.media_descriptions.iter();
        sections.position(|section| section.media_name.media == kind && is_taken(section))
    };
    let place_of_video = place("video").ok_or(SessionError::NoCodec)?;
    let video = &description.media_descriptions[place_of_video];
    // It may go first at once; where it leaves that to us, it does.
    let remote = remote(&description, video, |setup| match setup {
        "actpass" | "active" => Some(Role::Server),
        "passive" => Some(Role::Client),
        _ => None,
    })?;
    if !video.has_attribute("rtcp-mux") {
        return Err(SessionError::Missing("rtcp-mux"));
    }
    let (codec, payload_type, repair) = picture(video, |codec| ours.has(codec))?;
    // There is one way, and what does not share it with the picture cannot be sent.
    let sound = place("audio")
        .filter(|audio| ours.sounds() && are_together(&description, video, &description.media_descriptions[*audio]));
    let audio = sound.and_then(|place| {
        let media = &description.media_descriptions[place];
        Some(AudioFormat { payload_type: opus(media)?, extensions: extensions(media, &SOUND_EXTENSIONS) })
    });
    let format = Format { codec, payload_type, repair, audio, extensions: extensions(video, &EXTENSIONS) };
    let (video, audio) = (place_of_video, sound.filter(|_| format.audio.is_some()));
    Ok(Offered { remote, format, candidates: candidates(&description), description, video, audio })
}

fn are_together(description: &SessionDescription, one: &MediaDescription, other: &MediaDescription) -> bool {
    let group = description.attribute("group").and_then(|group| group.strip_prefix("BUNDLE "));
    let has = |media: &MediaDescription| {
        let mid = values(media, "mid").next();
        group.is_some_and(|group| group.split(' ').any(|name| Some(name) == mid))
    };
    has(one) && has(other)
}

/// Those that we can use, under the numbers that the viewer gives them.
fn extensions(media: &MediaDescription, known: &[(u8, &str)]) -> Extensions {
    let takes = |wanted: u8| {
        let (_, uri) = known.iter().find(|(ours, _)| *ours == wanted)?;
        extension(media, uri).and_then(ExtensionId::new)
    };
    Extensions {
        transport_cc: takes(id::TRANSPORT_CC),
        abs_send_time: takes(id::ABS_SEND_TIME),
        abs_capture_time: takes(id::ABS_CAPTURE_TIME),
        playout_delay: takes(id::PLAYOUT_DELAY),
    }
}

impl Offered {
    /// The answer: each of the viewer's sections in its place, those that stay empty as well.
    pub(super) fn answer(
        &self,
        ours: &Offer,
        credentials: &Credentials,
        fingerprint: &Fingerprint,
        candidates: &[String],
    ) -> String {
        let sections = &self.description.media_descriptions;
        let mid = |place: usize| values(&sections[place], "mid").next().unwrap_or_default();
        let together: Vec<&str> = [Some(self.video), self.audio].into_iter().flatten().map(mid).collect();
        let mut sdp =
            format!("v=0\r\no=- {} 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=msid-semantic: WMS panocast\r\n", ours.id());
        if self.description.has_attribute("group") {
            sdp += &format!("a=group:BUNDLE {}\r\n", together.join(" "));
        }
        for (place, section) in sections.iter().enumerate() {
            let written = if place == self.video {
                self.write_video(&mut sdp, section, &ours.streams, credentials, fingerprint, candidates)
            } else if Some(place) == self.audio {
                self.write_audio(&mut sdp, section, &ours.streams, credentials, fingerprint)
            } else {
                write_nothing(&mut sdp, section)
            };
            written.expect("a string takes everything");
        }
        sdp
    }

    fn write_video(
        &self,
        sdp: &mut String,
        section: &MediaDescription,
        Streams { video, repair, cname, .. }: &Streams,
        credentials: &Credentials,
        fingerprint: &Fingerprint,
        candidates: &[String],
    ) -> std::fmt::Result {
        let Format { codec, payload_type, repair: resent, extensions, .. } = &self.format;
        let formats = resent.map_or_else(|| payload_type.to_string(), |resent| format!("{payload_type} {resent}"));
        self.write_head(sdp, section, &formats, credentials, fingerprint)?;
        write_extensions(sdp, extensions)?;
        let (name, parameters) = match codec {
            VideoCodec::H264 => ("H264", Some(H264_FORMAT)),
            VideoCodec::Vp8 => ("VP8", None),
        };
        write!(sdp, "a=rtpmap:{payload_type} {name}/90000\r\n")?;
        if let Some(parameters) = parameters {
            write!(sdp, "a=fmtp:{payload_type} {parameters}\r\n")?;
        }
        for feedback in ["nack", "nack pli", "ccm fir", "transport-cc", "rrtr"] {
            let asked = values(section, "rtcp-fb").any(|line| {
                line.split_once(' ').is_some_and(|(format, what)| {
                    what == feedback && (format == "*" || format.parse() == Ok(*payload_type))
                })
            });
            if asked {
                write!(sdp, "a=rtcp-fb:{payload_type} {feedback}\r\n")?;
            }
        }
        write!(sdp, "a=msid:panocast video\r\na=ssrc:{video} cname:{cname}\r\na=ssrc:{video} msid:panocast video\r\n")?;
        if let Some(resent) = resent {
            write!(
                sdp,
                "a=rtpmap:{resent} rtx/90000\r\na=fmtp:{resent} apt={payload_type}\r\n\
                 a=ssrc-group:FID {video} {repair}\r\na=ssrc:{repair} cname:{cname}\r\n\
                 a=ssrc:{repair} msid:panocast video\r\n"
            )?;
        }
        for candidate in candidates {
            write!(sdp, "a={candidate}\r\n")?;
        }
        write!(sdp, "a=end-of-candidates\r\n")
    }

    fn write_audio(
        &self,
        sdp: &mut String,
        section: &MediaDescription,
        Streams { audio, cname, .. }: &Streams,
        credentials: &Credentials,
        fingerprint: &Fingerprint,
    ) -> std::fmt::Result {
        let Some(AudioFormat { payload_type, extensions }) = &self.format.audio else { return Ok(()) };
        self.write_head(sdp, section, &payload_type.to_string(), credentials, fingerprint)?;
        write_extensions(sdp, extensions)?;
        write!(
            sdp,
            "a=rtpmap:{payload_type} opus/48000/2\r\na=msid:panocast audio\r\n\
             a=ssrc:{audio} cname:{cname}\r\na=ssrc:{audio} msid:panocast audio\r\n"
        )
    }

    fn write_head(
        &self,
        sdp: &mut String,
        section: &MediaDescription,
        formats: &str,
        credentials: &Credentials,
        fingerprint: &Fingerprint,
    ) -> std::fmt::Result {
        let name = &section.media_name;
        let setup = match self.remote.role {
            Role::Server => "passive",
            Role::Client => "active",
        };
        write!(
            sdp,
            "m={} 9 {} {formats}\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\n\
             a=ice-options:trickle\r\na=fingerprint:sha-256 {}\r\na=setup:{setup}\r\na=sendonly\r\na=rtcp-mux\r\n",
            name.media,
            name.protos.join("/"),
            credentials.ufrag.as_str(),
            credentials.password,
            fingerprint.as_str(),
        )?;
        if section.has_attribute("rtcp-rsize") {
            write!(sdp, "a=rtcp-rsize\r\n")?;
        }
        write_mid(sdp, section)
    }
}

fn write_nothing(sdp: &mut String, section: &MediaDescription) -> std::fmt::Result {
    let name = &section.media_name;
    let format = name.formats.first().map_or("0", String::as_str);
    write!(sdp, "m={} 0 {} {format}\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\n", name.media, name.protos.join("/"))?;
    // It counts for nothing, and some want to know it all the same.
    if let Some(map) = values(section, "rtpmap").find(|map| map.split(' ').next() == Some(format)) {
        write!(sdp, "a=rtpmap:{map}\r\n")?;
    }
    write_mid(sdp, section)
}

fn write_mid(sdp: &mut String, section: &MediaDescription) -> std::fmt::Result {
    values(section, "mid").next().map_or(Ok(()), |mid| write!(sdp, "a=mid:{mid}\r\n"))
}

fn write_extensions(sdp: &mut String, extensions: &Extensions) -> std::fmt::Result {
    let Extensions { transport_cc, abs_send_time, abs_capture_time, playout_delay } = *extensions;
    let taken = [
        (id::ABS_SEND_TIME, abs_send_time),
        (id::TRANSPORT_CC, transport_cc),
        (id::ABS_CAPTURE_TIME, abs_capture_time),
        (id::PLAYOUT_DELAY, playout_delay),
    ];
    for (known, uri) in EXTENSIONS {
        let theirs = taken.iter().find(|(ours, _)| *ours == known).and_then(|(_, theirs)| *theirs);
        if let Some(theirs) = theirs {
            write!(sdp, "a=extmap:{} {uri}\r\n", theirs.get())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        media::{Encoding, Rings},
        transport::{Identity, Transport},
    };

    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn start() -> std::time::Instant {
        std::time::Instant::now()
    }

    const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n";
    const WAY: &str = "c=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=rtcp-mux\r\n\
        a=fingerprint:sha-256 5F:D4:9A:C7:06:36:C4:F2:15:D7:0B:35:00:D7:A5:0F:E2:F0:B8:8E:AA:C6:A6:76:EA:65:0C:47:8A:83:01:03\r\n";
    const H264: &str = "a=rtpmap:45 H264/90000\r\na=fmtp:45 packetization-mode=1;profile-level-id=42e01f\r\n";

    fn ours() -> Offer {
        let codecs = [VideoCodec::H264, VideoCodec::Vp8].map(|codec| Encoding::Video { rung: 0, codec });
        Offer::new(&Rings::new(codecs.into_iter().chain([Encoding::Audio])), |_| true, false)
    }

    fn video(lines: &str) -> String {
        format!("m=video 9 UDP/TLS/RTP/SAVPF 120 45 46\r\n{WAY}a=mid:v\r\na=recvonly\r\na=setup:actpass\r\n{lines}")
    }

    fn audio(lines: &str) -> String {
        format!("m=audio 9 UDP/TLS/RTP/SAVPF 109 0\r\n{WAY}a=mid:a\r\na=rtpmap:109 opus/48000/2\r\n{lines}")
    }

    fn answered(sdp: &str) -> (Offered, String) {
        let ours = ours();
        let offered = parse(sdp, &ours).expect("an offer");
        let identity = Identity::generate().expect("an identity");
        let candidate = "candidate:1 1 udp 2130706431 192.0.2.1 8190 typ host".to_owned();
        let (_, credentials) = Transport::new(&identity, false, &[], start()).expect("a transport");
        let answer = offered.answer(&ours, &credentials, identity.fingerprint(), &[candidate]);
        protocol::Sdp::try_from(answer.clone()).expect("a session description");
        (offered, answer)
    }

    #[test]
    fn everything_goes_by_the_players_own_numbers() {
        let lines = format!(
            "{H264}a=rtpmap:120 AV1/90000\r\na=rtpmap:46 rtx/90000\r\na=fmtp:46 apt=45\r\na=rtcp-fb:45 nack pli\r\n\
             a=rtcp-fb:* transport-cc\r\na=extmap:14 {}\r\na=extmap:15 {}\r\n",
            EXTENSIONS[1].1, EXTENSIONS[0].1
        );
        let sdp = format!("{HEAD}a=group:BUNDLE a v\r\n{}{}", audio("a=recvonly\r\n"), video(&lines));
        let (offered, answer) = answered(&sdp);
        let Format { codec, payload_type, repair, audio, extensions } = offered.format;
        assert_eq!((codec, payload_type, repair), (VideoCodec::H264, 45, Some(46)));
        assert_eq!(audio.map(|audio| audio.payload_type), Some(109));
        let transport_cc = ExtensionId::new(14);
        assert_eq!(extensions, Extensions { transport_cc, ..Extensions::default() }, "15 means something else");
        assert!(matches!(offered.remote.role, Role::Server));
        let places: Vec<Option<usize>> = [
            "a=group:BUNDLE v a\r\n",
            "m=audio 9 UDP/TLS/RTP/SAVPF 109\r\n",
            "a=mid:a\r\n",
            "m=video 9 UDP/TLS/RTP/SAVPF 45 46\r\n",
            "a=setup:passive\r\n",
            "a=mid:v\r\n",
            "a=extmap:14 ",
            "a=rtcp-fb:45 nack pli\r\n",
            "a=rtcp-fb:45 transport-cc\r\n",
            "a=candidate:1 1 udp",
        ]
        .map(|part| answer.find(part))
        .to_vec();
        assert!(places.iter().all(Option::is_some), "{places:?} {answer}");
        assert!(!answer.contains("nack\r\n") && !answer.contains("a=extmap:15"), "what was not asked for: {answer}");
    }

    #[test]
    fn what_takes_another_way_or_is_not_known_stays_empty() {
        let apart = format!("{HEAD}{}{}", video(H264), audio("a=recvonly\r\n"));
        let data = format!("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n{WAY}a=mid:d\r\na=sctp-port:5000\r\n");
        for sdp in [
            format!("{apart}{data}"),
            format!("{HEAD}a=group:BUNDLE v a d\r\n{}{}{data}", video(H264), audio("a=inactive\r\n")),
        ] {
            let (offered, answer) = answered(&sdp);
            assert_eq!(offered.format.audio, None);
            assert!(answer.contains("m=audio 0 UDP/TLS/RTP/SAVPF 109\r\n"), "{answer}");
            assert!(answer.contains("m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n"), "{answer}");
            assert_eq!(answer.matches("\r\na=candidate").count(), 1);
        }
    }

    #[test]
    fn a_player_that_waits_is_called() {
        let passive = video(H264).replace("actpass", "passive");
        let (offered, answer) = answered(&format!("{HEAD}{passive}"));
        assert!(matches!(offered.remote.role, Role::Client) && answer.contains("a=setup:active\r\n"), "{answer}");
    }

    #[test]
    fn what_cannot_be_sent_to_is_refused() {
        let whole = format!("{HEAD}{}", video(H264));
        for (from, to) in [
            ("profile-level-id=42e01f", "profile-level-id=64001f"),
            ("packetization-mode=1", "packetization-mode=0"),
            ("a=recvonly", "a=sendonly"),
            ("a=setup:actpass", "a=setup:holdconn"),
            ("a=rtcp-mux", "a=rtcp-rsize"),
            ("a=ice-pwd", "a=ice-lost"),
            ("a=fingerprint:sha-256", "a=fingerprint:md5"),
            ("m=video 9", "m=video 0"),
            ("v=0", "v=x"),
        ] {
            assert!(parse(&whole.replacen(from, to, 1), &ours()).is_err(), "{to}");
        }
        assert!(parse(&whole, &ours()).is_ok());
    }
}
