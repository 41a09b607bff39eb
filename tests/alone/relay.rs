//! Strangers at the server's relay.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
};

use anyhow::Context;
use tests::Process;
use tokio::net::UdpSocket;

use crate::{PATIENCE, alone};

/// Each asks less often than it would be left without an answer for.
const STRANGERS: u32 = 1500;
const QUESTIONS: u32 = 200;

/// Those in flight fit in any socket's buffer.
const AT_ONCE: u32 = 20;

/// After these everything has been done once.
const SETTLED: u32 = STRANGERS / 10;

/// A server's config, as long as it is needed.
struct Config(PathBuf);

impl Drop for Config {
    fn drop(&mut self) {
        // Somebody may have tidied up before.
        let _ = fs::remove_file(&self.0);
    }
}

/// Questions that are answered, whoever asks: an address, a challenge, and two refusals.
fn questions() -> [Vec<u8>; 4] {
    let message = |kind: u16, attributes: &[(u16, &[u8])]| {
        let mut body = Vec::new();
        for (kind, value) in attributes {
            body.extend(kind.to_be_bytes());
            body.extend(u16::try_from(value.len()).unwrap_or_default().to_be_bytes());
            body.extend_from_slice(value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let length = u16::try_from(body.len()).unwrap_or_default();
        [&kind.to_be_bytes()[..], &length.to_be_bytes(), &[0x21, 0x12, 0xa4, 0x42], &[7; 12], &body].concat()
    };
    let udp: (u16, &[u8]) = (0x0019, &[17, 0, 0, 0]);
    let forged: [(u16, &[u8]); 5] =
        [udp, (0x0006, b"1900000000:demo"), (0x0014, b"panocast"), (0x0015, b"AAAAAAAAAAAAAAAA"), (0x0008, &[0; 20])];
    [message(0x0001, &[]), message(0x0003, &[udp]), message(0x0003, &forged), message(0x0004, &[])]
}

#[test]
fn three_hundred_thousand_questions_of_strangers_leave_memory_as_it_was() -> anyhow::Result<()> {
    alone(async {
        let [http, turn] = [free_port()?, free_port()?];
        let config = Config(std::env::temp_dir().join(format!("panocast-relay-{http}.toml")));
        let text = format!(
            "listen = \"127.0.0.1:{http}\"\n[turn]\nenabled = true\nlisten = [\"127.0.0.1:{turn}\"]\n\
             public_address = \"127.0.0.1\"\n"
        );
        fs::write(&config.0, text)?;
        let (mut server, log) = Process::start_logged("server", &["--config", &config.0.to_string_lossy()])?;
        log.wait("relaying for those who cannot reach each other")?;

        let questions = questions();
        let mut before = None;
        for stranger in 0..STRANGERS {
            if stranger == SETTLED {
                before = Some(server.footprint()?);
            }
            // Linux routes all of 127/8 to this machine.
            let home = Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 1).to_bits() + stranger);
            let socket = UdpSocket::bind((home, 0)).await?;
            socket.connect((Ipv4Addr::LOCALHOST, turn)).await?;
            let all = async {
                let mut buffer = [0; 200];
                for _ in 0..QUESTIONS / AT_ONCE {
                    for number in 0..AT_ONCE as usize {
                        socket.send(&questions[number % questions.len()]).await?;
                    }
                    for _ in 0..AT_ONCE {
                        socket.recv(&mut buffer).await?;
                    }
                }
                anyhow::Ok(())
            };
            tokio::time::timeout(PATIENCE, all).await.context("a question was not answered")??;
        }
        let before = before.context("there were enough of them")?;
        let after = server.settles(&before).await?;
        println!("after {} questions {before:?}, after {} {after:?}", SETTLED * QUESTIONS, STRANGERS * QUESTIONS);
        anyhow::ensure!(after.resident_kib <= before.resident_kib + 512, "{before:?} became {after:?}");
        server.stop()
    })
}

/// Free a moment ago, for UDP as for TCP.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
