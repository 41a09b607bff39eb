//! An answer of ours to a viewer that makes the offer itself: players that speak WHEP do.

use std::{fmt::Write, io::Cursor};

use rtc_sdp::{MediaDescription, SessionDescription};

use super::{
    SessionError,
    offer::{EXTENSIONS, Offer, SOUND_EXTENSIONS},
    sections::{PictureFormat, candidates, extension, is_taken, opus, pictures, remote, values},
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
    /// What the picture's format is called with, as the viewer has it.
    parameters: Option<String>,
    /// The places of the sections that we send in, and of all that share the picture's way.
    video: usize,
    audio: Option<usize>,
    together: Vec<usize>,
}

/// Reads an offer. Nothing of what it says is used before all of it is understood.
pub(super) fn parse(sdp: &str, ours: &Offer) -> Result<Offered, SessionError> {
    let description = SessionDescription::unmarshal(&mut Cursor::new(sdp)).map_err(SessionError::Theirs)?;
    let sections = &description.media_descriptions;
    let place = |kind: &str| sections.iter().position(|section| section.media_name.media == kind && is_taken(section));
    let video_at = place("video").ok_or(SessionError::NoCodec)?;
    let video = &sections[video_at];
    let together = bundle(&description, video_at);
    let tagged = together.first().map(|place| &sections[*place]);
    // It may go first at once; where it leaves that to us, it does.
    let remote = remote(&description, video, tagged, |setup| match setup {
        "actpass" | "active" => Some(Role::Server),
        "passive" => Some(Role::Client),
        _ => None,
    })?;
    if ![Some(video), tagged].into_iter().flatten().any(|section| section.has_attribute("rtcp-mux")) {
        return Err(SessionError::Missing("rtcp-mux"));
    }
    let chosen = choose(video, ours).ok_or(SessionError::NoCodec)?;
    // There is one way, and what does not share it with the picture cannot be sent.
    let audio_at = place("audio").filter(|audio| ours.sounds() && together.contains(audio));
    let audio = audio_at.and_then(|place| {
        let section = &sections[place];
        Some(AudioFormat { payload_type: opus(section)?, extensions: extensions(section, &SOUND_EXTENSIONS) })
    });
    let PictureFormat { codec, payload_type, repair, parameters } = chosen;
    let parameters = parameters.map(str::to_owned);
    let audio_at = audio_at.filter(|_| audio.is_some());
    let format = Format { codec, payload_type, repair, audio, extensions: extensions(video, &EXTENSIONS) };
    let candidates = candidates(&description);
    Ok(Offered { remote, format, candidates, description, parameters, video: video_at, audio: audio_at, together })
}

/// The best that we have of what the viewer takes: an encoder that runs already serves one more for next to nothing.
fn choose<'a>(video: &'a MediaDescription, ours: &Offer) -> Option<PictureFormat<'a>> {
    let formats = pictures(video);
    let rank = |format: &PictureFormat<'_>| {
        let is_whole = format.parameter("packetization-mode").is_some();
        let is_constrained = format.parameter("profile-level-id").is_some_and(|profile| profile.starts_with("42e0"));
        (is_whole, is_constrained)
    };
    ours.codecs().find_map(|codec| {
        let of_it = formats.iter().filter(|format| format.codec == codec);
        // The first of those that are equally good.
        of_it.rev().max_by_key(|format| rank(format)).cloned()
    })
}

/// The places of those that share a way with this section, the first of them being the one whose way it is.
fn bundle(description: &SessionDescription, with: usize) -> Vec<usize> {
    let sections = &description.media_descriptions;
    let place = |mid: &str| sections.iter().position(|section| values(section, "mid").next() == Some(mid));
    let groups = description.attributes.iter().filter(|attribute| attribute.key == "group");
    let groups = groups.filter_map(|group| group.value.as_deref()?.strip_prefix("BUNDLE "));
    let places = groups.map(|group| group.split(' ').filter_map(place).collect::<Vec<usize>>());
    places.into_iter().find(|places| places.contains(&with)).unwrap_or_default()
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

/// What a section of ours that is used says of the way there.
struct Way<'a> {
    credentials: &'a Credentials,
    fingerprint: &'a Fingerprint,
    setup: &'static str,
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
        let setup = match self.remote.role {
            Role::Server => "passive",
            Role::Client => "active",
        };
        let way = Way { credentials, fingerprint, setup };
        let sections = &self.description.media_descriptions;
        let mut sdp =
            format!("v=0\r\no=- {} 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=msid-semantic: WMS panocast\r\n", ours.id());
        let stays = |place: &&usize| self.goes_along(**place);
        let mids = self.together.iter().filter(stays).filter_map(|place| values(&sections[*place], "mid").next());
        let mids: Vec<&str> = mids.collect();
        if !mids.is_empty() {
            sdp += &format!("a=group:BUNDLE {}\r\n", mids.join(" "));
        }
        for (place, section) in sections.iter().enumerate() {
            let written = if place == self.video {
                self.write_video(&mut sdp, section, &ours.streams, &way, candidates)
            } else if Some(place) == self.audio {
                self.write_audio(&mut sdp, section, &ours.streams, &way)
            } else {
                write_nothing(&mut sdp, section, self.goes_along(place).then_some(&way))
            };
            written.expect("a string takes everything");
        }
        sdp
    }

    /// Whether a section shares the picture's way, be it only in name: that may be the one whose way it is.
    fn goes_along(&self, place: usize) -> bool {
        let kind = &self.description.media_descriptions[place].media_name.media;
        self.together.contains(&place) && (kind == "video" || kind == "audio")
    }

    fn write_video(
        &self,
        sdp: &mut String,
        section: &MediaDescription,
        Streams { video, repair, cname, .. }: &Streams,
        way: &Way<'_>,
        candidates: &[String],
    ) -> std::fmt::Result {
        let Format { codec, payload_type, repair: resent, extensions, .. } = &self.format;
        let formats = resent.map_or_else(|| payload_type.to_string(), |resent| format!("{payload_type} {resent}"));
        write_head(sdp, section, &formats, "sendonly", way)?;
        write_extensions(sdp, extensions)?;
        let name = match codec {
            VideoCodec::H264 => "H264",
            VideoCodec::Vp8 => "VP8",
        };
        write!(sdp, "a=rtpmap:{payload_type} {name}/90000\r\n")?;
        if let Some(parameters) = &self.parameters {
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
        way: &Way<'_>,
    ) -> std::fmt::Result {
        let Some(AudioFormat { payload_type, extensions }) = &self.format.audio else { return Ok(()) };
        write_head(sdp, section, &payload_type.to_string(), "sendonly", way)?;
        write_extensions(sdp, extensions)?;
        write!(
            sdp,
            "a=rtpmap:{payload_type} opus/48000/2\r\na=msid:panocast audio\r\n\
             a=ssrc:{audio} cname:{cname}\r\na=ssrc:{audio} msid:panocast audio\r\n"
        )
    }
}

fn write_head(
    sdp: &mut String,
    section: &MediaDescription,
    formats: &str,
    direction: &str,
    Way { credentials, fingerprint, setup }: &Way<'_>,
) -> std::fmt::Result {
    let name = &section.media_name;
    write!(
        sdp,
        "m={} 9 {} {formats}\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\n\
         a=ice-options:trickle\r\na=fingerprint:sha-256 {}\r\na=setup:{setup}\r\na={direction}\r\na=rtcp-mux\r\n",
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

/// A section that stays empty: with the way there, if it shares that.
fn write_nothing(sdp: &mut String, section: &MediaDescription, way: Option<&Way<'_>>) -> std::fmt::Result {
    let name = &section.media_name;
    let format = name.formats.first().map_or("0", String::as_str);
    match way {
        Some(way) => write_head(sdp, section, format, "inactive", way)?,
        None => {
            write!(sdp, "m={} 0 {} {format}\r\nc=IN IP4 0.0.0.0\r\n", name.media, name.protos.join("/"))?;
            write!(sdp, "a=inactive\r\n")?;
            write_mid(sdp, section)?;
        }
    }
    // It counts for nothing, and some want to know it all the same.
    match values(section, "rtpmap").find(|map| map.split(' ').next() == Some(format)) {
        Some(map) => write!(sdp, "a=rtpmap:{map}\r\n"),
        None => Ok(()),
    }
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
            "a=group:BUNDLE a v\r\n",
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
        let data = format!("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n{WAY}a=mid:d\r\na=sctp-port:5000\r\n");
        let sdp = format!("{HEAD}a=group:LS a v\r\n{}{}{data}", video(H264), audio("a=recvonly\r\n"));
        let (offered, answer) = answered(&sdp);
        assert_eq!(offered.format.audio, None);
        assert!(answer.contains("m=audio 0 UDP/TLS/RTP/SAVPF 109\r\n"), "{answer}");
        assert!(answer.contains("m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n"), "{answer}");
        assert!(!answer.contains("BUNDLE"), "{answer}");
        assert_eq!(answer.matches("\r\na=candidate").count(), 1);
    }

    #[test]
    fn a_section_whose_way_the_picture_goes_stays_open() {
        let sdp = format!("{HEAD}a=group:BUNDLE a v\r\n{}{}", audio("a=inactive\r\n"), video(H264));
        let (offered, answer) = answered(&sdp);
        assert_eq!(offered.format.audio, None);
        assert!(answer.contains("a=group:BUNDLE a v\r\n"), "{answer}");
        let sound = answer.split("m=video").next().expect("it comes first");
        assert!(
            sound.contains("m=audio 9 ") && sound.contains("a=inactive") && sound.contains("a=ice-ufrag"),
            "{answer}"
        );
    }

    #[test]
    fn a_picture_that_goes_along_needs_no_port_and_no_way_of_its_own() {
        let bundled = format!(
            "m=video 0 UDP/TLS/RTP/SAVPF 45\r\nc=IN IP4 0.0.0.0\r\na=bundle-only\r\na=mid:v\r\na=recvonly\r\n{H264}"
        );
        let first = audio("a=recvonly\r\na=setup:actpass\r\n");
        let (offered, answer) = answered(&format!("{HEAD}a=group:BUNDLE a v\r\n{first}{bundled}"));
        assert!(offered.format.audio.is_some());
        assert!(
            answer.contains("m=video 9 UDP/TLS/RTP/SAVPF 45\r\n") && answer.contains("a=group:BUNDLE a v"),
            "{answer}"
        );
        let second = audio("a=recvonly\r\na=bundle-only\r\n").replace("m=audio 9", "m=audio 0");
        let (offered, _) = answered(&format!("{HEAD}a=group:BUNDLE v a\r\n{}{second}", video(H264)));
        assert!(offered.format.audio.is_some());
    }

    #[test]
    fn the_picture_comes_as_it_is_encoded_already_if_the_player_takes_it() {
        let vp8_first = video(&format!("a=rtpmap:120 VP8/90000\r\n{H264}"));
        let (offered, _) = answered(&format!("{HEAD}{vp8_first}"));
        assert_eq!((offered.format.codec, offered.format.payload_type), (VideoCodec::H264, 45));
        let lines = "a=rtpmap:45 H264/90000\r\na=fmtp:45 packetization-mode=1;profile-level-id=42001f\r\n\
            a=rtpmap:46 H264/90000\r\na=fmtp:46 packetization-mode=1;profile-level-id=42e01f\r\n";
        let (offered, answer) = answered(&format!("{HEAD}{}", video(lines)));
        assert_eq!(offered.format.payload_type, 46);
        assert!(answer.contains("a=fmtp:46 packetization-mode=1;profile-level-id=42e01f\r\n"), "{answer}");
        let (offered, answer) = answered(&format!("{HEAD}{}", video("a=rtpmap:45 H264/90000\r\n")));
        assert_eq!(offered.format.payload_type, 45, "who says nothing takes what comes");
        assert!(!answer.contains("a=fmtp:45"), "{answer}");
    }

    #[test]
    fn a_flood_of_formats_is_read_once() {
        let flood = format!("m=video 9 UDP/TLS/RTP/SAVPF {}45", "0 ".repeat(5000));
        let lines = format!("{}{H264}", "a=x:y\r\n".repeat(500));
        let sdp = video(&lines).replace("m=video 9 UDP/TLS/RTP/SAVPF 120 45 46", &flood);
        let (offered, _) = answered(&format!("{HEAD}{sdp}"));
        assert_eq!(offered.format.payload_type, 45);
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
