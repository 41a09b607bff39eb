//! Viewers' names, asked for on the local network. The group is joined only while something is being asked.

use std::{net::Ipv4Addr, time::Instant};

use tokio::sync::mpsc;

use super::{ReachInput, group};
use crate::reach::names::{LocalName, Names};

/// Ends when the fan-out does.
pub(super) async fn run(asked: mpsc::Receiver<LocalName>, inputs: mpsc::Sender<ReachInput>) {
    ask_on(group::PORT, group::interfaces, asked, inputs).await;
}

async fn ask_on(
    port: u16,
    interfaces: impl Fn() -> Vec<Ipv4Addr>,
    mut asked: mpsc::Receiver<LocalName>,
    inputs: mpsc::Sender<ReachInput>,
) {
    let mut names = Names::default();
    let mut group: Option<group::Group> = None;
    let mut complained = false;
    loop {
        let deadline = names.poll_timeout().map(tokio::time::Instant::from_std);
        tokio::select! {
            name = asked.recv() => match name {
                Some(name) => names.ask(name, now()),
                None => return,
            },
            packet = receive(&mut group) => match packet {
                Ok(packet) => names.handle_packet(packet, now()),
                Err(error) => {
                    tracing::debug!(%error, "the local network's names cannot be heard");
                    group = None;
                }
            },
            () = sleep_until(deadline) => names.handle_timeout(now()),
        }
        while let Some((name, address)) = names.poll_found() {
            if inputs.send(ReachInput::Name { name, address }).await.is_err() {
                return;
            }
        }
        if names.is_idle() {
            group = None;
        } else if group.is_none() {
            match group::Group::join(port, interfaces()) {
                Ok(joined) => group = Some(joined),
                Err(error) if !complained => {
                    tracing::debug!(%error, "viewers' names cannot be asked for on this network");
                    complained = true;
                }
                Err(_) => {}
            }
        }
        while let Some(question) = names.poll_transmit() {
            if let Some(group) = &group {
                group.send(&question).await;
            }
        }
    }
}

async fn receive(group: &mut Option<group::Group>) -> std::io::Result<&[u8]> {
    match group {
        Some(group) => group.receive().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// This task's one clock.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, time::Duration};

    use super::*;
    use crate::reach::names::answer;

    #[tokio::test]
    async fn a_name_is_asked_for_and_answered_on_the_group() {
        const PORT: u16 = 53531;
        const NAME: &str = "0fab3c9e-1b2c-4d5e-8f90-a1b2c3d4e5f6.local";
        let here = || vec![Ipv4Addr::LOCALHOST];
        let address: IpAddr = "192.0.2.7".parse().expect("an address");
        let mut browser = group::Group::join(PORT, here()).expect("the loopback takes part in multicast");
        let (ask, asked) = mpsc::channel(1);
        let (inputs, mut answers) = mpsc::channel(1);
        let resolver = tokio::spawn(ask_on(PORT, here, asked, inputs));
        let name = LocalName::new(NAME).expect("of the right shape");
        ask.send(name.clone()).await.expect("listening");
        let play = async {
            // The first that is heard may be lost on the resolver's joining, as anywhere: each question is answered.
            loop {
                tokio::select! {
                    packet = browser.receive() => {
                        let is_question = packet.expect("heard")[2] & 0x80 == 0;
                        if is_question {
                            browser.send(&answer(NAME, address)).await;
                        }
                    }
                    found = answers.recv() => break found,
                }
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(10), play).await.expect("answered").expect("still there");
        assert!(matches!(found, ReachInput::Name { name: found, address: at } if found == name && at == address));
        drop(ask);
        resolver.await.expect("it ends with those that ask");
    }
}
