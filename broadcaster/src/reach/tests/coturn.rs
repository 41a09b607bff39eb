//! Against coturn, as its package installs it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bytes::BytesMut;
use protocol::IceServer;
use rtc_crypto::default_provider;
use tokio::{net::UdpSocket, sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    reach::{CandidateKind, LocalCandidate, Reach, ReachEvent, ReachInput, ReachTasks, Requests, Transmit},
    transport::Datagram,
};

const WITHIN: Duration = Duration::from_secs(60);

/// Ends with its test.
struct Coturn {
    child: Child,
    port: u16,
    files: PathBuf,
}

impl Coturn {
    fn start() -> Self {
        // Free a moment ago, for UDP as for TCP.
        let taken = std::net::TcpListener::bind("127.0.0.1:0").and_then(|taken| taken.local_addr());
        Self::start_on(taken.expect("a port").port())
    }

    fn start_on(port: u16) -> Self {
        let files = std::env::temp_dir().join(format!("panocast-coturn-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&files).expect("a folder");
        let child = Command::new("turnserver")
            .args(["-n", "--no-cli", "--no-tls", "--no-dtls", "--lt-cred-mech", "--allow-loopback-peers"])
            .args(["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--realm=example.org", "--user=robot:secret"])
            .args(["--no-stdout-log", "--log-file=/dev/null", "--relay-threads=1", "--stale-nonce=600"])
            .arg(format!("--listening-port={port}"))
            .arg(format!("--userdb={}", files.join("users").display()))
            .arg(format!("--pidfile={}", files.join("pid").display()))
            .current_dir(&files)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("turnserver starts; Debian's package coturn has it");
        Self { child, port, files }
    }

    fn listed(&self, query: &str) -> Vec<IceServer> {
        let urls = vec![format!("turn:127.0.0.1:{}{query}", self.port)];
        vec![IceServer { urls, username: Some("robot".to_owned()), credential: Some("secret".to_owned()) }]
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        // What is left of it lies in the folder for temporary files.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.files);
    }
}

/// What the fan-out is to the reach.
struct Robot {
    reach: Reach,
    requests: Requests,
    inputs: mpsc::Receiver<ReachInput>,
    socket: UdpSocket,
}

enum Happened {
    Event(ReachEvent),
    Received(Datagram),
}

impl Robot {
    /// Drives everything until something happens that a fan-out would hear of.
    async fn next(&mut self) -> Happened {
        let local = self.socket.local_addr().expect("bound");
        let mut buffer = [0; 2048];
        loop {
            while let Some(transmit) = self.reach.poll_transmit() {
                match transmit {
                    Transmit::Udp(datagram) => drop(self.socket.send_to(&datagram.data, datagram.to).await),
                    Transmit::Stream(server, data) => self.requests.send(server, data),
                }
            }
            if let Some(event) = self.reach.poll_event() {
                return Happened::Event(event);
            }
            let deadline = self.reach.poll_timeout().unwrap_or(now() + WITHIN);
            let received = tokio::select! {
                Ok((length, from)) = self.socket.recv_from(&mut buffer) => {
                    let datagram = Datagram { data: BytesMut::from(&buffer[..length]), from, to: local };
                    self.reach.handle_datagram(datagram, now())
                }
                Some(input) = self.inputs.recv() => match input {
                    ReachInput::Servers(servers) => { self.reach.set_servers(servers, now()); None }
                    ReachInput::StreamUp(server) => { self.reach.handle_stream_up(server, now()); None }
                    ReachInput::StreamDown(server) => { self.reach.handle_stream_down(server); None }
                    ReachInput::Stream(server, data) => self.reach.handle_stream(server, data, now()),
                    ReachInput::Name { .. } => None,
                },
                () = tokio::time::sleep_until(deadline.into()) => { self.reach.handle_timeout(now()); None }
            };
            if let Some(received) = received {
                return Happened::Received(received);
            }
        }
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Robot {
    async fn start(servers: Vec<IceServer>, cancel: CancellationToken) -> (Self, JoinHandle<()>) {
        let (requests, inputs, tasks) = ReachTasks::new();
        let tasks = tokio::spawn(tasks.run(cancel));
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("binds");
        requests.set_servers(servers);
        (Self { reach: Reach::new(default_provider().expect("a provider")), requests, inputs, socket }, tasks)
    }

    /// The relay that is found next. Where no NAT is, the server sees an address that everybody knows.
    async fn found(&mut self) -> SocketAddr {
        match self.next().await {
            Happened::Event(ReachEvent::Found(LocalCandidate { kind: CandidateKind::Relay, address, .. })) => address,
            Happened::Event(event) => panic!("{event:?}"),
            Happened::Received(_) => panic!("nobody has sent anything"),
        }
    }

    /// Sends to a viewer and back: some in the long form, then in the short one, of all lengths that padding may have.
    async fn echo(&mut self, relay: SocketAddr) {
        let viewer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("binds");
        let viewer_address = viewer.local_addr().expect("bound");
        self.reach.permit(viewer_address, now());
        for round in 0..40usize {
            let payload = vec![u8::try_from(round).expect("small"); 1 + round];
            let data = BytesMut::from(&payload[..]);
            self.reach.wrap(Datagram { data, from: relay, to: viewer_address }, now());
            let mut buffer = [0; 2048];
            let (length, from) = tokio::select! {
                received = viewer.recv_from(&mut buffer) => received.expect("received"),
                _ = self.next() => panic!("nothing else happens"),
            };
            assert_eq!((&buffer[..length], from), (&payload[..], relay), "round {round}");
            viewer.send_to(&buffer[..length], from).await.expect("sent");
            let Happened::Received(echo) = self.next().await else {
                panic!("nothing else happens");
            };
            let expected: (&[u8], SocketAddr, SocketAddr) = (&payload, viewer_address, relay);
            assert_eq!((&echo.data[..], echo.from, echo.to), expected, "round {round}");
        }
    }
}

#[tokio::test]
async fn a_viewer_is_reached_through_coturn_over_udp() {
    let play = async {
        let coturn = Coturn::start();
        let cancel = CancellationToken::new();
        let (mut robot, tasks) = Robot::start(coturn.listed(""), cancel.clone()).await;
        let relay = robot.found().await;
        robot.echo(relay).await;
        cancel.cancel();
        tasks.await.expect("the tasks end");
    };
    tokio::time::timeout(WITHIN, play).await.expect("in time");
}

#[tokio::test]
async fn a_viewer_is_reached_through_coturn_over_tcp_and_again_when_it_is_back() {
    let play = async {
        let coturn = Coturn::start();
        let cancel = CancellationToken::new();
        let (mut robot, tasks) = Robot::start(coturn.listed("?transport=tcp"), cancel.clone()).await;
        let first = robot.found().await;
        robot.echo(first).await;
        let port = coturn.port;
        drop(coturn);
        let Happened::Event(ReachEvent::Lost(lost)) = robot.next().await else {
            panic!("the relay has gone");
        };
        assert_eq!(lost.address, first);
        let _coturn = Coturn::start_on(port);
        let second = robot.found().await;
        robot.echo(second).await;
        drop(robot);
        tasks.await.expect("the tasks end with the fan-out");
    };
    tokio::time::timeout(WITHIN, play).await.expect("in time");
}
