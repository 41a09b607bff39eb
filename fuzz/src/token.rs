//! Tokens: those that this server signed, as it signed them, and no others.

use std::num::NonZeroU32;

use server::fuzz::auth::{Keys, Refused};

use crate::script::{Script, spoil};

const NOW: u64 = 1_700_000_000;
const EXPIRES: u64 = NOW + 3600;

pub fn token(data: &[u8]) {
    let (ours, others) = (Keys::of("k", [7; 32]), Keys::of("k", [8; 32]));
    let mut script = Script::new(data);
    let max = NonZeroU32::new(script.byte().into());
    let (id, robot) = ("l1".parse().expect("an id"), "demo".parse().expect("an id"));
    let link = |keys: &Keys| keys.link(&id, &robot, max.is_some(), EXPIRES, max);
    let genuine = link(&ours);
    assert_eq!(ours.read_link(&genuine, NOW).as_ref(), Ok(&genuine));
    assert_eq!(ours.read_link(&genuine, EXPIRES), Err(Refused::Expired));
    match script.below(3) {
        0 => {
            let Ok(text) = std::str::from_utf8(script.rest()) else { return };
            for read in [ours.read_link(text, 0), ours.read_visit(text, 0)] {
                assert!(read.is_err_and(|refused| refused == Refused::Foreign), "the key is nobody else's");
            }
        }
        1 => {
            // Signed by another server, or for another purpose.
            let foreign = link(&others);
            assert_eq!(ours.read_link(&foreign, NOW), Err(Refused::Foreign));
            let visit = ours.visit("ann", EXPIRES);
            assert!(ours.read_visit(&visit, NOW).is_ok());
            assert_eq!(ours.read_link(&visit, NOW), Err(Refused::Foreign));
            assert_eq!(ours.read_visit(&genuine, NOW), Err(Refused::Foreign));
            altered(&ours, &foreign, &mut script);
            altered(&ours, &visit, &mut script);
        }
        _ => altered(&ours, &genuine, &mut script),
    }
}

/// What is left of a token that somebody has changed is none.
fn altered(ours: &Keys, token: &str, script: &mut Script<'_>) {
    let mut bytes = token.as_bytes().to_vec();
    for _ in 0..=script.below(4) {
        spoil(&mut bytes, script);
    }
    let Ok(text) = String::from_utf8(bytes) else { return };
    if text != token {
        assert_eq!(ours.read_link(&text, 0), Err(Refused::Foreign), "{text} for {token}");
        assert_eq!(ours.read_visit(&text, 0), Err(Refused::Foreign), "{text} for {token}");
    }
}
