//! What must hold of every packet that leaves, whatever happens: checked by a receiver that has nothing of ours but the keys.

use std::{collections::BTreeMap, time::Duration};

use bytes::{Bytes, BytesMut};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use rtc_rtcp::{
    extended_report::{ExtendedReport, dlrr::DLRRReportBlock, rrt::ReceiverReferenceTimeReportBlock},
    packet::Packet,
    payload_feedbacks::picture_loss_indication::PictureLossIndication,
    transport_feedbacks::{
        transport_layer_cc::{
            PacketStatusChunk, RecvDelta, RunLengthChunk, StatusChunkTypeTcc, SymbolTypeTcc, TransportLayerCc,
        },
        transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers},
    },
};
use rtc_shared::marshal::Unmarshal;
use rtc_srtp::protection_profile::ProtectionProfile;

use super::*;
use crate::media::{AccessUnit, Moment, NtpTime, PacketSize};

const VIDEO: u32 = 0x1111_1111;
const REPAIR: u32 = 0x2222_2222;
const AUDIO: u32 = 0x3333_3333;
const RUNGS: u8 = 3;

/// Opens what one session sends, and remembers every packet that it was sent.
struct Receiver {
    context: Context,
    feedback: Context,
    /// By SSRC, rollover counter and sequence number.
    seen: BTreeMap<(u32, u64), Vec<u8>>,
    highest: BTreeMap<u32, u64>,
    /// Payloads of the picture's stream by sequence number, for comparison with what is repeated.
    payloads: BTreeMap<u16, (u32, Vec<u8>)>,
    repeated: usize,
    /// The timestamp of each piece of sound, and whether it told when it was captured.
    sounds: Vec<(u32, bool)>,
}

impl Receiver {
    fn take(&mut self, packet: &[u8]) {
        let header = rtc_rtp::Header::unmarshal(&mut &packet[..]).expect("a header");
        let index = self.index(header.ssrc, header.sequence_number);
        let former = self.seen.insert((header.ssrc, index), packet.to_vec());
        assert!(former.is_none_or(|former| former == packet), "one nonce for two packets: {:x} {index}", header.ssrc);
        let opened = self.context.decrypt_rtp(packet).expect("an independent receiver opens it");
        let packet = rtc_rtp::Packet::unmarshal(&mut &opened[..]).expect("a packet");
        match header.ssrc {
            VIDEO => {
                self.payloads.insert(header.sequence_number, (header.timestamp, packet.payload.to_vec()));
            }
            REPAIR => {
                let (number, payload) = packet.payload.split_at(2);
                let original = u16::from_be_bytes([number[0], number[1]]);
                let (timestamp, expected) = &self.payloads[&original];
                assert_eq!((header.timestamp, payload), (*timestamp, &expected[..]), "what is repeated is the same");
                self.repeated += 1;
            }
            _ => {
                let told = header.get_extension(id::ABS_CAPTURE_TIME).is_some();
                self.sounds.push((header.timestamp, told));
            }
        }
    }

    /// The packet's endless number, by the receiver's own count of rollovers (RFC 3711, appendix A).
    fn index(&mut self, ssrc: u32, sequence: u16) -> u64 {
        let Some(highest) = self.highest.get_mut(&ssrc) else {
            self.highest.insert(ssrc, u64::from(sequence));
            return u64::from(sequence);
        };
        let ahead = sequence.wrapping_sub(*highest as u16);
        let index =
            if ahead < 1 << 15 { *highest + u64::from(ahead) } else { *highest - u64::from(ahead.wrapping_neg()) };
        *highest = index.max(*highest);
        index
    }

    fn seal(&mut self, packet: &dyn Packet) -> BytesMut {
        self.feedback.encrypt_rtcp(&packet.marshal().expect("marshals")).expect("sealed")
    }
}

fn encoding(rung: u8) -> Encoding {
    Encoding::Video { rung, codec: VideoCodec::H264 }
}

struct Rig {
    delivery: Delivery,
    receiver: Receiver,
    rings: Rings,
    burst: Burst,
    began: Instant,
    now: Instant,
}

impl Rig {
    #[expect(clippy::disallowed_methods, reason = "an invented start for an invented time")]
    fn new(profile: ProtectionProfile, seed: u8) -> Self {
        let provider = rtc_crypto::default_provider().expect("a provider");
        let material: Vec<u8> = (0..Keys::material_len(profile)).map(|byte| byte as u8 ^ seed).collect();
        let ours = Keys::new(profile, &material, false).expect("keys");
        let theirs =
            Keys::new(profile, &material, true).expect("keys").into_ciphers(provider.crypto()).expect("ciphers");
        let rings = Rings::new((0..RUNGS).map(encoding).chain([Encoding::Audio]));
        let terms = Terms {
            format: Format {
                codec: VideoCodec::H264,
                payload_type: 102,
                repair: Some(103),
                audio: Some(AudioFormat {
                    payload_type: 111,
                    extensions: Extensions {
                        abs_capture_time: Extensions::ALL.abs_capture_time,
                        ..Extensions::default()
                    },
                }),
                extensions: Extensions::ALL,
            },
            streams: Streams { video: VIDEO, repair: REPAIR, audio: AUDIO, cname: "robot".to_owned() },
            qualities: Qualities::new(vec![3e6, 1e6, 3e5], true),
            bounds: Bounds::default(),
        };
        let now = Instant::now();
        let delivery = Delivery::new(ours, terms, provider.crypto(), &rings, now).expect("a delivery");
        let receiver = Receiver {
            context: theirs.feedback,
            feedback: theirs.reports,
            seen: BTreeMap::new(),
            highest: BTreeMap::new(),
            payloads: BTreeMap::new(),
            repeated: 0,
            sounds: Vec::new(),
        };
        Self { delivery, receiver, rings, burst: Burst::new(64), began: now, now }
    }

    fn capture(&mut self, encoding: Encoding, length: usize, keyframe: bool) {
        let media = self.now - self.began;
        let captured = Moment { media, instant: self.now, ntp: NtpTime(1 << 40).after(media) };
        let mut data = vec![0, 0, 0, 1, if keyframe { 0x65 } else { 0x41 }];
        data.resize(5 + length, (media.as_millis() % 251) as u8 + 1);
        let unit = AccessUnit { data: Bytes::from(data), keyframe, captured };
        let frame = encoding.packetise(&unit, PacketSize::on_wire(1200));
        self.rings.get_mut(encoding).expect("a ring").push(frame.into(), self.now);
    }

    /// Sends all that can be sent now, as somebody who sleeps until there is more.
    fn flush(&mut self) -> usize {
        let mut packets = 0;
        for _ in 0..4 {
            packets += self.send();
            while self.delivery.poll_report(&self.rings, self.now).expect("sealed").is_some() {}
            if self.delivery.poll_timeout(&self.rings).is_none_or(|at| at > self.now) {
                return packets;
            }
            self.delivery.handle_timeout(&self.rings, self.now);
        }
        panic!("it wants to be woken over and over");
    }

    fn send(&mut self) -> usize {
        let mut packets = 0;
        loop {
            let more = self.delivery.has_more(&self.rings, self.now);
            self.delivery.poll(&self.rings, self.now, &mut self.burst).expect("sealed");
            if self.burst.is_empty() {
                return packets;
            }
            assert!(more, "nobody would have asked for it");
            for packet in self.burst.packets() {
                packets += 1;
                self.receiver.take(packet);
            }
        }
    }

    fn feed_back(&mut self, packet: &dyn Packet) {
        let sealed = self.receiver.seal(packet);
        self.delivery.handle_feedback(&sealed, &self.rings, self.now);
    }

    /// One random thing happens.
    fn step(&mut self, random: &mut SmallRng) {
        self.now += Duration::from_millis(random.random_range(0..30));
        match random.random_range(0..10) {
            0..=5 => {
                for rung in 0..RUNGS {
                    let keyframe = random.random_bool(0.1);
                    self.capture(encoding(rung), random.random_range(1..30_000 >> rung), keyframe);
                }
                self.capture(Encoding::Audio, 80, true);
            }
            6 => {
                let mut rung = || Some(random.random_range(0..RUNGS + 1)).filter(|rung| *rung < RUNGS);
                let want = Want { rung: rung(), best: rung() };
                self.delivery.bound(Bounds { want, allowed: 0 }, &self.rings, self.now);
            }
            7 => {
                let last = self.receiver.highest.get(&VIDEO).copied().unwrap_or_default() as u16;
                let missed: Vec<u16> =
                    (0..random.random_range(1..40)).map(|_| last.wrapping_sub(random.random_range(0..300))).collect();
                let nacks = nack_pairs_from_sequence_numbers(&missed);
                self.feed_back(&TransportLayerNack { sender_ssrc: 1, media_ssrc: VIDEO, nacks });
            }
            8 => self.feed_back(&PictureLossIndication { sender_ssrc: 1, media_ssrc: VIDEO }),
            _ => self.delivery.handle_timeout(&self.rings, self.now),
        }
    }
}

/// Runs at random until so many packets have left.
fn run(profile: ProtectionProfile, seed: u8, packets: usize) -> Rig {
    let mut rig = Rig::new(profile, seed);
    let mut random = SmallRng::seed_from_u64(u64::from(seed));
    let mut left = 0;
    while left < packets {
        rig.step(&mut random);
        left += rig.flush();
    }
    rig
}

#[test]
fn no_number_is_ever_sealed_twice_with_different_bytes() {
    for seed in 0..12 {
        let rig = run(ProtectionProfile::AeadAes128Gcm, seed, 3000);
        assert!(rig.receiver.repeated > 50, "seed {seed}: {} repeated", rig.receiver.repeated);
    }
}

#[test]
fn nor_across_the_wrap_of_the_sequence_number() {
    let rig = run(ProtectionProfile::AeadAes256Gcm, 77, 140_000);
    assert!(rig.receiver.highest[&VIDEO] > 1 << 16, "it wrapped");
}

#[test]
fn peers_that_know_only_counter_mode_get_the_same() {
    let rig = run(ProtectionProfile::Aes128CmHmacSha1_80, 5, 3000);
    assert!(rig.receiver.repeated > 50);
}

#[test]
fn sound_tells_now_and_then_when_it_was_captured() {
    let rig = run(ProtectionProfile::AeadAes128Gcm, 3, 5000);
    let sounds = &rig.receiver.sounds;
    let told: Vec<u32> = sounds.iter().filter(|(_, told)| *told).map(|(timestamp, _)| *timestamp).collect();
    assert!(sounds[0].1, "the first one does");
    assert!(told.len() * 10 < sounds.len(), "{} of {}", told.len(), sounds.len());
    // A receiver forgets it after five seconds.
    assert!(told.len() > 3 && told.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) < 2 * 48_000), "{told:?}");
}

#[test]
fn numbers_have_no_gaps_and_timestamps_only_grow_whatever_quality_is_sent() {
    let rig = run(ProtectionProfile::AeadAes128Gcm, 9, 5000);
    let video: Vec<(u64, u32)> = rig
        .receiver
        .seen
        .iter()
        .filter(|((ssrc, _), _)| *ssrc == VIDEO)
        .map(|((_, index), packet)| (*index, rtc_rtp::Header::unmarshal(&mut &packet[..]).expect("a header").timestamp))
        .collect();
    for pair in video.windows(2) {
        let [(before, earlier), (after, later)] = pair else { continue };
        assert_eq!(before + 1, *after);
        assert!(later.wrapping_sub(*earlier) < 1 << 31, "{earlier} before {later}");
    }
}

#[test]
fn a_viewer_that_had_its_keys_too_late_for_the_first_packets_gets_a_keyframe() {
    let mut rig = Rig::new(ProtectionProfile::AeadAes128Gcm, 1);
    rig.capture(encoding(0), 20_000, true);
    rig.flush();
    rig.delivery.take_wanted();
    let arrivals = |first| TransportLayerCc {
        base_sequence_number: first,
        packet_status_count: 1,
        packet_chunks: vec![PacketStatusChunk::RunLengthChunk(RunLengthChunk {
            type_tcc: StatusChunkTypeTcc::RunLengthChunk,
            packet_status_symbol: SymbolTypeTcc::PacketReceivedSmallDelta,
            run_length: 1,
        })],
        recv_deltas: vec![RecvDelta { type_tcc_packet: SymbolTypeTcc::PacketReceivedSmallDelta, delta: 250 }],
        ..TransportLayerCc::default()
    };
    rig.feed_back(&arrivals(7));
    assert_eq!(rig.delivery.take_wanted(), Some(encoding(0)));
    rig.feed_back(&arrivals(9));
    assert_eq!(rig.delivery.take_wanted(), None, "later gaps are the business of retransmission");
}

#[test]
fn a_viewer_that_asks_how_far_away_it_is_gets_its_instant_back_at_once() {
    let mut rig = Rig::new(ProtectionProfile::AeadAes128Gcm, 1);
    while rig.delivery.poll_report(&rig.rings, rig.now).expect("sealed").is_some() {}
    let reference = ReceiverReferenceTimeReportBlock { ntp_timestamp: 0x0123_4567_89ab_cdef };
    rig.feed_back(&ExtendedReport { sender_ssrc: 7, reports: vec![Box::new(reference)] });
    let sealed = rig.delivery.poll_report(&rig.rings, rig.now).expect("sealed").expect("a report");
    assert_eq!(rig.delivery.poll_report(&rig.rings, rig.now).expect("sealed"), None, "one for each question");
    let opened = rig.receiver.context.decrypt_rtcp(&sealed).expect("opened");
    let packets = rtc_rtcp::packet::unmarshal(&mut &opened[..]).expect("a compound");
    let extended = packets.iter().find_map(|packet| packet.as_any().downcast_ref::<ExtendedReport>());
    let blocks = extended.map(|extended| &extended.reports).expect("an extended report");
    let answer = blocks.iter().find_map(|block| block.as_any().downcast_ref::<DLRRReportBlock>()).expect("an answer");
    let [report] = &answer.reports[..] else { panic!("{answer:?}") };
    assert_eq!((report.ssrc, report.last_rr, report.dlrr), (7, 0x4567_89ab, 0));
}
