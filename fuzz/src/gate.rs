//! Who may reach the stack behind the media port: whoever has proven to know a password, and nobody else.

use std::{collections::BTreeSet, net::SocketAddr, sync::LazyLock};

use broadcaster::fuzz::transport::{Gate, Shared};

use crate::script::{Script, spoil};

const MAX_PROVEN: usize = 32;

static SHARED: LazyLock<Shared> = LazyLock::new(Shared::default);

fn address(script: &mut Script<'_>) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 1 + u16::from(script.byte() & 63)))
}

pub fn gate(data: &[u8]) {
    let mut script = Script::new(data);
    let mut gate = Gate::new(("first", "one"), &SHARED);
    // What an onlooker expects: the passwords in use, and who has shown them.
    let (mut names, mut theirs) = (vec![("first", "one")], None);
    let mut proven = BTreeSet::new();
    while let Some(step) = script.step() {
        let from = address(&mut script);
        match step % 8 {
            0 => {
                gate.announce(("next", "two"));
                names.truncate(1);
                names.push(("next", "two"));
            }
            1 => {
                let keeps = (script.byte() & 1 == 0).then_some(from);
                gate.agree("theirs", keeps);
                if theirs.replace("theirs").is_some() {
                    proven.retain(|other| Some(*other) == keeps);
                }
                names = vec![*names.last().expect("one at least")];
            }
            2 => {
                let raw = script.bytes();
                assert!(!gate.admits_stun(raw, from) || forged_is_none(raw), "{raw:?}");
            }
            kind => {
                let is_answer = kind == 3;
                let (name, password) = [("first", "one"), ("next", "two"), ("none", "theirs"), ("first", "guess")]
                    [usize::from(script.below(4))];
                let username = format!("{name}:theirs");
                let mut bytes = SHARED.check(is_answer, (!is_answer).then_some(&username), Some(password));
                let whole = bytes.clone();
                if step >= 128 {
                    spoil(&mut bytes, &mut script);
                }
                let fits = if is_answer { theirs == Some(password) } else { names.contains(&(name, password)) };
                let room = proven.contains(&from) || proven.len() < MAX_PROVEN;
                let admitted = gate.admits_stun(&bytes, from);
                if bytes == whole {
                    assert_eq!(admitted, fits && room, "{name}, {password}");
                } else if admitted {
                    assert!(fits && room && is_covered(&whole, &bytes), "{bytes:?}");
                }
                if admitted {
                    proven.insert(from);
                }
            }
        }
        for port in 1..=64 {
            let other = SocketAddr::from(([10, 0, 0, 1], port));
            assert_eq!(gate.admits_other(other), proven.contains(&other), "{other}");
        }
        assert!(proven.len() <= MAX_PROVEN);
    }
}

/// The passwords are known here only, and a script that has a whole signed message was made from one.
fn forged_is_none(raw: &[u8]) -> bool {
    let known = ["one", "two", "theirs"].iter().flat_map(|password| {
        let names = ["first:theirs", "next:theirs"].map(Some).into_iter().chain([None]);
        names.flat_map(move |name| [false, true].map(|answer| SHARED.check(answer, name, Some(password))))
    });
    known.into_iter().any(|whole| is_covered(&whole, raw))
}

/// Behind its signature anything may stand in a message, which nobody reads.
fn is_covered(whole: &[u8], changed: &[u8]) -> bool {
    changed.len() >= whole.len() && changed[4..whole.len()] == whole[4..] && changed[..2] == whole[..2]
}
