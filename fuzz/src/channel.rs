//! The data channel by which a viewer hears how the robot leans: only what begins and confirms gets to the stack behind it, and
//! that makes little of it.

use broadcaster::fuzz::session::Line;

use crate::script::{Script, start};

/// Kinds of chunks: to begin, to confirm, to ask whether anybody is there, to end.
const INIT: u8 = 1;
const INIT_ACK: u8 = 2;
const TALK: [u8; 4] = [INIT, 3, 4, 10];
const COOKIE_ECHO: u8 = 10;
const STATE_COOKIE: [u8; 2] = [0, 7];

/// What one packet may cause.
const MAX_ANSWERS: usize = 16;
const MAX_PACKET: usize = 1500;

/// A reading.
const MESSAGE: &[u8] = &[7; 14];

#[derive(Default)]
struct Viewer {
    /// What the robot wants to be called.
    tag: [u8; 4],
    cookie: Vec<u8>,
}

pub fn channel(data: &[u8]) {
    let mut script = Script::new(data);
    let (mut line, mut viewer) = (Line::new(start()), Viewer::default());
    let mut asked = 0;
    for _ in 0..256 {
        let Some(step) = script.step() else { break };
        let (packet, kinds) = match step % 8 {
            0 => (packet([0; 4], &[(INIT, &[0, 0, 0, 9, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1])]), vec![INIT]),
            1 => (packet(viewer.tag, &[(COOKIE_ECHO, &viewer.cookie)]), vec![COOKIE_ECHO]),
            2 => {
                line.pass(script.time());
                asked += 8;
                (Vec::new(), vec![0])
            }
            3 => {
                assert!(line.tell(MESSAGE), "what is open takes a reading");
                asked += 1;
                (Vec::new(), vec![0])
            }
            4 => (script.bytes().to_vec(), Vec::new()),
            _ => {
                let mut chunks = Vec::new();
                for _ in 0..=script.below(3) {
                    chunks.push((TALK.get(usize::from(script.below(5))).copied().unwrap_or(step), script.bytes()));
                }
                let tag = if step & 8 == 0 { viewer.tag } else { [0; 4] };
                (packet(tag, &chunks), chunks.iter().map(|(kind, _)| *kind).collect())
            }
        };
        if !packet.is_empty() {
            let was_open = line.is_open();
            let opened = line.hear(&packet);
            assert!(!opened || !was_open && line.is_open(), "it opens once");
            asked += 1;
        }
        let answers = line.take();
        let talks = kinds.iter().all(|kind| TALK.contains(kind));
        assert!(talks || asked > 0 && packet.is_empty() || answers.is_empty(), "{kinds:?} got through");
        assert!(answers.len() <= MAX_ANSWERS, "{} packets", answers.len());
        for answer in answers {
            assert!((12..=MAX_PACKET).contains(&answer.len()), "{} bytes", answer.len());
            viewer.learn(&answer);
        }
    }
}

impl Viewer {
    fn learn(&mut self, answer: &[u8]) {
        let Some((&[INIT_ACK, ..], _)) = answer.get(12..).and_then(|rest| rest.split_first_chunk::<4>()) else {
            return;
        };
        self.tag.copy_from_slice(&answer[16..20]);
        let mut rest = &answer[32..];
        while let [upper, lower, length @ ..] = rest
            && let Some((length, _)) = length.split_first_chunk()
        {
            let length = usize::from(u16::from_be_bytes(*length));
            let Some(value) = rest.get(4..length) else { return };
            if [*upper, *lower] == STATE_COOKIE {
                self.cookie = value.to_vec();
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
}

/// A packet with the sum that the stack looks at first.
fn packet(tag: [u8; 4], chunks: &[(u8, &[u8])]) -> Vec<u8> {
    let mut packet = [&[0x13, 0x88, 0x13, 0x88][..], &tag, &[0; 4]].concat();
    for (kind, data) in chunks {
        packet.extend([*kind, 0]);
        packet.extend(u16::try_from(4 + data.len()).unwrap_or(u16::MAX).to_be_bytes());
        packet.extend(*data);
        packet.resize(packet.len().next_multiple_of(4), 0);
    }
    let step = |sum: u32, _| if sum & 1 == 1 { sum >> 1 ^ 0x82f6_3b78 } else { sum >> 1 };
    let sum = !packet.iter().fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step));
    packet[8..12].copy_from_slice(&sum.to_le_bytes());
    packet
}
