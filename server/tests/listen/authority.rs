//! A certificate from an authority: Pebble, which Let's Encrypt tests clients with.

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
};

use tokio::{
    net::{TcpListener, TcpStream, UdpSocket},
    task::JoinHandle,
};

use crate::support::{Folder, Running, encrypt, encrypted, shown, until};

const NAME: &str = "video.panocast.example";

/// A child that does not outlive its test.
struct Pebble {
    process: Child,
    dns: JoinHandle<()>,
    directory: String,
}

impl Pebble {
    /// Looks for the proof on this port, whatever the name.
    async fn start(folder: &Folder, port: u16) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]);
        let made = made.expect("a certificate");
        let certificate = folder.write("pebble.pem", &made.cert.pem());
        let key = folder.write("pebble.key", &made.signing_key.serialize_pem());
        let (listen, management) = (free_address().await, free_address().await);
        let config = serde_json::json!({ "pebble": {
            "listenAddress": listen.to_string(), "managementListenAddress": management.to_string(),
            "certificate": certificate, "privateKey": key, "httpPort": 1, "tlsPort": port,
            "ocspResponderURL": "", "externalAccountBindingRequired": false,
        }});
        let config = folder.write("pebble.json", &config.to_string());
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let resolver = socket.local_addr().expect("an address");
        let dns = tokio::spawn(everything_is_here(socket));
        let process = Command::new("pebble")
            .arg("-config")
            .arg(config)
            .args(["-dnsserver", &resolver.to_string()])
            .envs([("PEBBLE_VA_NOSLEEP", "1")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pebble, which the Debian package of its name has");
        until(async || TcpStream::connect(listen).await.is_ok()).await;
        Self { process, dns, directory: format!("https://{listen}/dir") }
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        self.dns.abort();
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One that was free a moment ago.
async fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    listener.local_addr().expect("an address")
}

/// Answers questions for IPv4 addresses with this machine's, and all others with nothing.
async fn everything_is_here(socket: UdpSocket) {
    const A: [u8; 2] = [0, 1];
    let mut question = [0; 512];
    loop {
        let Ok((length, from)) = socket.recv_from(&mut question).await else { return };
        let question = &question[..length];
        // After the header, the name in parts, each with its length before it; then type and class.
        let Some(end) = question.get(12..).and_then(|name| name.iter().position(|byte| *byte == 0)) else { continue };
        let (Some(asked), Some(kind)) = (question.get(12..12 + end + 5), question.get(12 + end + 1..12 + end + 3))
        else {
            continue;
        };
        let answers = u8::from(kind == A);
        let mut answer = [&question[..2], &[0x81, 0x80, 0, 1, 0, answers, 0, 0, 0, 0], asked].concat();
        if answers == 1 {
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
        }
        let _ = socket.send_to(&answer, from).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_obtained_served_and_kept() {
    let folder = Folder::new();
    // The authority must know the port before the server has it.
    let listen = free_address().await;
    let pebble = Pebble::start(&folder, listen.port()).await;
    let config = format!(
        "listen = \"{listen}\"\nstate_dir = {:?}\n[tls]\nmode = \"acme\"\nnames = [{NAME:?}]\ncontact = \"operator@panocast.example\"\n\
         directory = {:?}\ndirectory_ca = {:?}\n",
        folder.path("state"),
        pebble.directory,
        folder.path("pebble.pem"),
    );
    let server = Running::start_there(&config).await;
    // Until there is one, no handshake succeeds.
    until(async || encrypt(server.connect().await, rustls::DEFAULT_VERSIONS, &[]).await.is_ok()).await;
    let certificate = shown(&encrypted(server.connect().await).await);
    let (_, parsed) = x509_parser::parse_x509_certificate(&certificate).expect("a certificate");
    assert!(parsed.issuer().to_string().contains("Pebble"), "{}", parsed.issuer());
    let names = parsed.subject_alternative_name().expect("names").expect("names");
    assert!(format!("{:?}", names.value.general_names).contains(NAME), "{names:?}");
    server.stop().await;

    // The one that was kept is shown from the first moment on, and nobody is asked.
    drop(pebble);
    let server = Running::start_there(&config).await;
    assert_eq!(shown(&encrypted(server.connect().await).await), certificate);
    server.stop().await;
    let told = server::report::describe(&toml::from_str(&config).expect("a config")).expect("described");
    assert!(told.contains(&format!("Has a certificate for {NAME}, which is good until 20")), "{told}");
}
