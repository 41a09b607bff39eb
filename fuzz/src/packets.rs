//! Pictures on their way into packets: a receiver gets back what went in, and no packet is too large.

use broadcaster::fuzz::media::{self, Codec, FIRST_IS_SHORTER, Payload};

use crate::script::{Script, start};

const NAL_TYPE: u8 = 0x1f;
const DELIMITER: u8 = 9;

pub fn packets(data: &[u8]) {
    let mut script = Script::new(data);
    let codec = [Codec::H264, Codec::Vp8, Codec::Opus][usize::from(script.below(3))];
    let wire = 500 + usize::from(script.number()) % 1100;
    let picture = repeated(&mut script);
    let payloads = media::cut(codec, &picture, wire, start());
    if codec == Codec::Opus {
        let [payload] = &payloads[..] else { panic!("{} packets of sound", payloads.len()) };
        return assert!(payload.data == picture && !payload.padded);
    }
    let most = media::most(wire);
    for (index, payload) in payloads.iter().enumerate() {
        let room = if index == 0 { most - FIRST_IS_SHORTER } else { most };
        assert!(payload.data.len() <= room && !payload.data.is_empty(), "{} of {room} bytes", payload.data.len());
    }
    if codec == Codec::Vp8 {
        vp8(&picture, &payloads);
    } else {
        h264(&picture, &payloads);
    }
}

/// A picture, some of whose pieces are said once and meant often: real ones are larger than scripts.
fn repeated(script: &mut Script<'_>) -> Vec<u8> {
    let mut picture = Vec::new();
    while let Some(times) = script.step() {
        let piece = script.bytes();
        let times = if times < 192 { 1 } else { usize::from(times - 191) };
        picture.extend(piece.iter().cycle().take((piece.len() * times).min(32_768)));
    }
    picture
}

/// RFC 7741: a descriptor, and a share of the frame.
fn vp8(picture: &[u8], payloads: &[Payload]) {
    let whole: Vec<u8> = payloads.iter().flat_map(|payload| &payload.data[1..]).copied().collect();
    assert_eq!(whole, picture);
    assert!(payloads.iter().all(|payload| !payload.padded));
    assert!(payloads.iter().enumerate().all(|(index, payload)| (payload.data[0] == 0x10) == (index == 0)));
    one_length(payloads);
}

/// All of one length, counted with the first's extensions, and the last perhaps shorter: so they leave in one send.
fn one_length(payloads: &[Payload]) {
    let mut lengths: Vec<usize> = payloads.iter().map(|payload| payload.data.len()).collect();
    if let Some(first) = lengths.first_mut() {
        *first += FIRST_IS_SHORTER;
    }
    if let Some((last, others)) = lengths.split_last()
        && let Some(length) = others.first()
    {
        assert!(others.iter().all(|other| other == length) && last <= length, "{lengths:?}");
    }
}

/// RFC 6184, sections 5.6 to 5.8.
fn h264(picture: &[u8], payloads: &[Payload]) {
    let (mut nals, mut open): (Vec<Vec<u8>>, bool) = (Vec::new(), false);
    let mut fragments = false;
    for Payload { data, padded } in payloads {
        let padding = if *padded { data.last().copied().map_or(0, usize::from) } else { 0 };
        assert!(!*padded || padding > 0, "padding counts itself");
        let data = &data[..data.len() - padding];
        assert!(data.len() > 1 || data[0] & NAL_TYPE != 28, "a fragment has a header");
        match data[0] & NAL_TYPE {
            28 => {
                fragments = true;
                assert_eq!(data[1] & 0x80 == 0, open, "a fragment begins when the one before has ended");
                if !open {
                    nals.push(vec![data[0] & 0x60 | data[1] & NAL_TYPE]);
                }
                nals.last_mut().expect("one has begun").extend_from_slice(&data[2..]);
                open = data[1] & 0x40 == 0;
            }
            24 if !open => {
                let mut rest = &data[1..];
                while let [upper, lower, tail @ ..] = rest {
                    let (nal, next) = tail.split_at(usize::from(u16::from_be_bytes([*upper, *lower])));
                    nals.push(nal.to_vec());
                    rest = next;
                }
                assert!(rest.is_empty());
            }
            _ => {
                assert!(!open, "a fragmented unit was not finished");
                nals.push(data.to_vec());
            }
        }
    }
    assert!(!open);
    // What would be taken for a packet's own structure is left out.
    let is_sent = |nal: &&[u8]| (1..24).contains(&(nal[0] & NAL_TYPE)) && nal[0] & NAL_TYPE != DELIMITER;
    let mut expected: Vec<Vec<u8>> = media::nal_units(picture).filter(is_sent).map(<[u8]>::to_vec).collect();
    for nal in nals.iter_mut().chain(&mut expected) {
        // A unit that says of itself that it is broken may lose that.
        nal[0] &= 0x7f;
    }
    assert_eq!(nals, expected);
    if fragments && expected.len() == 1 {
        one_length(payloads);
    }
}
