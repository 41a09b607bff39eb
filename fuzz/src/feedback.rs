//! What a viewer says of what it got (RTCP): whatever that is, what is believed of its path stays within bounds, and so does
//! what is sent for it.

use broadcaster::fuzz::delivery::{FLOOR, RUNGS, Sending, VIDEO};

use crate::script::{Script, start};

/// The largest packet on the wire, without IP and UDP.
const MAX_PACKET: usize = 1200;

/// As an encoder makes in a second at most, with some to spare: so many packets may leave at once.
const MAX_AT_ONCE: usize = 4000;

/// Longer ones are left unread.
const MAX_DATAGRAM: usize = 1500;

pub fn feedback(data: &[u8]) {
    let mut script = Script::new(data);
    let mut sending = Sending::new(start());
    let mut asked = 0;
    for _ in 0..128 {
        let Some(step) = script.step() else { break };
        match step % 8 {
            0 | 1 => sending.capture(usize::from(script.number()) / 4, step & 8 == 0),
            2 => sending.pass(script.time()),
            3 => {
                let mut rung = || Some(script.byte()).filter(|rung| *rung < 8);
                let (rung, best) = (rung(), rung());
                sending.want(rung, best);
            }
            4 => sending.hear_raw(script.bytes()),
            5 => {
                asked += 512;
                sending.hear(&nack(&mut script));
            }
            _ => {
                asked += 512;
                let rtcp = script.bytes();
                sending.hear(&rtcp[..rtcp.len().min(MAX_DATAGRAM)]);
            }
        }
        let before = sending.belief();
        let lengths = sending.flush();
        assert!(lengths.len() <= MAX_AT_ONCE, "{} packets", lengths.len());
        assert!(lengths.iter().all(|length| (12..=MAX_PACKET).contains(length)), "{lengths:?}");
        assert!(sending.rests(), "it wants to be woken over and over");
        let belief = sending.belief();
        assert_eq!(belief.packets - before.packets, lengths.len() as u64, "what is sent is counted");
        assert!(belief.bitrate.is_finite() && belief.bitrate > 0.0, "{belief:?}");
        assert!((0.0..=1.0).contains(&belief.loss), "{belief:?}");
        assert!(belief.rung.is_none_or(|rung| usize::from(rung) < RUNGS.len()), "{belief:?}");
        assert!(belief.limit.is_none_or(|limit| (FLOOR..=RUNGS[2]).contains(&f64::from(limit))), "{belief:?}");
        // Probes repeat packets, too, but only once somebody has reported on some.
        assert!(asked > 0 || belief.resent == 0, "{belief:?}");
    }
}

/// That packets are missing which may have been sent.
fn nack(script: &mut Script<'_>) -> Vec<u8> {
    let (pid, mask) = (script.number().to_be_bytes(), script.number().to_be_bytes());
    [&[0x81, 205, 0, 3, 0, 0, 0, 1][..], &VIDEO.to_be_bytes(), &pid, &mask].concat()
}
