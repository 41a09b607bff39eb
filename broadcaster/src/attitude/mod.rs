//! How the robot leans: what its IMU's driver says over UDP, for those viewers who keep the horizon level.
//!
//! Anything on the robot may say it, a reading per datagram. What goes on to the viewers is what they could not know from
//! what they were told before.

#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod pace;
mod reading;

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use tokio::{net::UdpSocket, sync::mpsc};
use tokio_util::sync::CancellationToken;

use pace::Pace;

/// A message that is not taken before the next is there is of no use any more; a few are a hiccup.
pub(crate) const IN_FLIGHT: usize = 4;

/// Whoever goes on sending what cannot be read is not told with every datagram.
const TOLD_AGAIN: Duration = Duration::from_secs(1);
const LOGGED_AGAIN: Duration = Duration::from_secs(30);

/// An IMU that is silent for so long has stopped.
const SILENT: Duration = Duration::from_secs(3);

/// A socket that fails may go on to, and nothing else is to suffer from it.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// Longer than anything that could be read.
const MAX_LENGTH: usize = 2048;

pub(crate) struct Listener {
    socket: UdpSocket,
    messages: mpsc::Sender<Bytes>,
}

impl Listener {
    /// What viewers are to be told comes out of the other end.
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<(Self, mpsc::Receiver<Bytes>)> {
        let socket = UdpSocket::bind(address).await?;
        let (messages, told) = mpsc::channel(IN_FLIGHT);
        Ok((Self { socket, messages }, told))
    }

    pub(crate) async fn run(self, cancel: CancellationToken) {
        let mut pace = Pace::default();
        let (mut told, mut logged) = (None, None);
        // Until when it is known how the robot leans.
        let mut known: Option<tokio::time::Instant> = None;
        let mut datagram = [0; MAX_LENGTH];
        loop {
            let received = tokio::select! {
                () = cancel.cancelled() => return,
                received = self.socket.recv_from(&mut datagram) => received,
                () = tokio::time::sleep_until(known.unwrap_or_else(tokio::time::Instant::now)), if known.is_some() => {
                    tracing::warn!("no readings of the attitude come any more: the horizon is not kept level");
                    known = None;
                    continue;
                }
            };
            let (length, from) = match received {
                Ok(received) => received,
                // That of an answer which nobody wanted, most likely: the next is read all the same.
                Err(error) => {
                    tracing::debug!(%error, "attitude");
                    tokio::time::sleep(AFTER_ERROR).await;
                    continue;
                }
            };
            let (now, unix) = (now(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
            match reading::read(&datagram[..length], unix) {
                Ok(reading) => {
                    if known.replace(tokio::time::Instant::from_std(now + SILENT)).is_none() {
                        tracing::info!("readings of the attitude come: the horizon is kept level");
                    }
                    if let Some(readings) = pace.take(reading, now) {
                        // What is told next says more.
                        let _ = self.messages.try_send(protocol::attitude_message(&readings).into());
                    }
                }
                Err(error) => {
                    if due(&mut logged, LOGGED_AGAIN, now) {
                        tracing::warn!(%error, "a reading of the attitude is of no use");
                    }
                    if due(&mut told, TOLD_AGAIN, now) {
                        // Not everybody who sends listens as well.
                        let _ = self.socket.try_send_to(format!("{error}\n").as_bytes(), from);
                    }
                }
            }
        }
    }
}

/// Whether that much has passed since it was last the case.
fn due(last: &mut Option<Instant>, interval: Duration, now: Instant) -> bool {
    let due = last.is_none_or(|last| now.saturating_duration_since(last) >= interval);
    if due {
        *last = Some(now);
    }
    due
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn within<T>(what: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(60), what).await.expect("in time")
    }

    #[tokio::test]
    async fn readings_go_on_and_who_sends_rubbish_is_told_so() {
        let (listener, mut messages) = Listener::bind("127.0.0.1:0".parse().expect("an address")).await.expect("bound");
        let address = listener.socket.local_addr().expect("bound");
        let cancel = CancellationToken::new();
        let listens = tokio::spawn(listener.run(cancel.clone()));
        let driver = UdpSocket::bind("127.0.0.1:0").await.expect("bound");
        driver.connect(address).await.expect("there");
        driver.send(b"{\"roll\": \"left\"}").await.expect("sent");
        let mut answer = [0; 512];
        let length = within(driver.recv(&mut answer)).await.expect("an answer");
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        assert!(answer.contains("roll") && answer.ends_with('\n'), "{answer}");
        driver.send(br#"{"roll": 20, "pitch": 0}"#).await.expect("sent");
        let message = within(messages.recv()).await.expect("it is told");
        assert_eq!(message.len(), 14);
        cancel.cancel();
        listens.await.expect("it ends");
    }
}
