//! The TURN relay: strangers get no more than they send, nobody reaches whom it has nothing to do with, and memory has an end.

use std::net::SocketAddr;

use server::fuzz::turn::{Ask, BYTES_PER_SECOND, Client, MAX_ALLOCATIONS, MAX_PER_USER, World, frames, peers};

use crate::script::{Script, spoil, start};

const RELAY: [u8; 4] = [203, 0, 113, 5];

/// A request's answer is as much larger: an address each for the client and the relay, and a signature; or a nonce and a realm.
const ANSWER: usize = 84;

/// What data is wrapped in.
const WRAPPING: usize = 36;

pub fn relay(data: &[u8]) {
    let (mut script, mut seconds) = (Script::new(data), 1);
    let mut world = World::new(RELAY.into(), start());
    let mut clients = vec![
        Client::of(1, "demo", None, false),
        Client::of(2, "demo", Some(1), false),
        Client::of(3, "demo", Some(2), true),
        Client::of(4, "other", None, true),
        Client::stranger(5),
    ];
    while let Some(step) = script.step() {
        let from = usize::from(script.below(clients.len() as u8));
        let to = usize::from(script.below(clients.len() as u8));
        let nobody = SocketAddr::from((RELAY, 50_000));
        let peer = clients[to].relayed.unwrap_or(nobody);
        let mut bytes = match step % 12 {
            0 => clients[from].ask(Ask::Bind),
            1 | 2 => clients[from].ask(Ask::Allocate),
            3 => {
                let seconds = u32::from(script.number());
                clients[from].ask(Ask::Refresh(seconds))
            }
            4 | 5 => clients[from].ask(Ask::Permit(peer)),
            6 => clients[from].ask(Ask::Channel(0x4000 | u16::from(script.byte()), peer)),
            7 => Client::say(peer, script.bytes()),
            8 => [&[0x40, script.byte()], &script.bytes().len().to_be_bytes()[6..], script.bytes()].concat(),
            9 => script.bytes().to_vec(),
            10 => {
                let time = script.time();
                seconds += time.as_secs() + 1;
                world.pass(time);
                continue;
            }
            _ => {
                match script.below(8) {
                    0 => world.bar(&clients[from]),
                    1 => world.forget(&clients[from]),
                    _ => {}
                }
                continue;
            }
        };
        if step >= 192 {
            spoil(&mut bytes, &mut script);
        }
        // What comes off a stream is cut before it gets here, and names whom it names.
        assert!(frames(&bytes).iter().all(|length| *length >= 4));
        let _ = peers(&bytes);
        deliver(&mut world, &mut clients, from, &bytes);
        let counters = world.counters();
        assert!(counters.allocations <= MAX_ALLOCATIONS.min(MAX_PER_USER * 4));
        // A second's worth at once, and of each of the clients.
        let most = BYTES_PER_SECOND * (seconds + 1) * clients.len() as u64;
        assert!(counters.relayed_bytes <= most, "{} of {most} bytes", counters.relayed_bytes);
    }
}

fn deliver(world: &mut World, clients: &mut [Client], from: usize, bytes: &[u8]) {
    let Some((to, answer)) = world.send(clients, from, bytes) else { return };
    let (sender, receiver) = (&clients[from], &clients[to]);
    if to == from {
        assert!(answer.len() <= bytes.len() + ANSWER, "{} bytes for {}", answer.len(), bytes.len());
    } else {
        assert!(answer.len() <= bytes.len() + WRAPPING, "{} bytes for {}", answer.len(), bytes.len());
        assert!(world.serves(sender) && world.serves(receiver), "both have an allocation");
        let names = [sender, receiver].map(|client| client.holder.clone().expect("strangers relay nothing"));
        let [one, other] = &names;
        let robot = |holder: &str| holder.split('/').next().unwrap_or_default().to_owned();
        assert_eq!(robot(one), robot(other));
        assert!(!(one.contains('/') && other.contains('/')), "a viewer to a viewer");
    }
    clients[to].hear(&answer);
    let strangers = clients.iter().filter(|client| client.holder.is_none());
    assert!(strangers.clone().all(|client| !world.serves(client)), "a stranger got an allocation");
}
