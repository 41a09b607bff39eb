//! What is encrypted, with which certificate, and who is sent where.

use rustls::{
    pki_types::{CertificateDer, pem::PemObject},
    version::{TLS12, TLS13},
};

use crate::support::{Client, Folder, Running, ask, connect, encrypt, encrypted, rest, shown, until};

/// A certificate and its key, in PEM.
pub(crate) fn pair() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")
}

pub(crate) fn files(folder: &Folder, (certificate, key): &(String, String)) -> String {
    let (certificate, key) = (folder.write("cert.pem", certificate), folder.write("key.pem", key));
    format!("[tls]\nmode = \"files\"\ncertificate = {certificate:?}\nkey = {key:?}\n")
}

#[tokio::test]
async fn both_versions_of_tls_are_spoken_and_only_http_1() {
    let folder = Folder::new();
    let server = Running::start(&files(&folder, &pair())).await;
    for version in [&TLS12, &TLS13] {
        let stream = encrypt(server.connect().await, &[version], &[b"h2", b"http/1.1"]).await.expect("encrypted");
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert!(ask(stream, "/healthz", "").await.starts_with("HTTP/1.1 200"));
    }
    let without = encrypt(server.connect().await, &[&TLS13], &[]).await.expect("encrypted");
    assert!(ask(without, "/healthz", "").await.starts_with("HTTP/1.1 200"));
    encrypt(server.connect().await, &[&TLS13], &[b"h2"]).await.expect_err("nothing in common");
    encrypt(server.connect().await, &[&TLS13], &[b"acme-tls/1"]).await.expect_err("there is nothing to prove");
    server.stop().await;
}

#[tokio::test]
async fn whoever_comes_unencrypted_is_sent_to_where_it_is() {
    let folder = Folder::new();
    let tls = files(&folder, &pair());
    let server = Running::start(&format!("{tls}redirect_from = \"127.0.0.1:0\"\n")).await;
    let port = server.address.port();
    let redirect = connect(server.redirect.expect("listens"), [127, 0, 0, 1].into()).await;
    let same = format!("robots.example:{port}");
    for (stream, host) in [(redirect, "robots.example:80"), (server.connect().await, &*same)] {
        let answer = ask(stream, "/watch/demo?yaw=9", &format!("host: {host}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 307"), "{answer}");
        assert!(answer.contains(&format!("location: https://robots.example:{port}/watch/demo?yaw=9\r\n")), "{answer}");
        assert!(!answer.contains("strict-transport-security"), "{answer}");
    }
    let nowhere = ask(server.connect().await, "/", "host: a b\r\n").await;
    assert!(nowhere.starts_with("HTTP/1.1 400"), "{nowhere}");
    server.stop().await;
}

#[tokio::test]
async fn browsers_are_to_insist_on_encryption_at_public_names_only() {
    let folder = Folder::new();
    let server = Running::start(&files(&folder, &pair())).await;
    let insists = async |server: &Running, host: &str| {
        let stream = encrypted(server.connect().await).await;
        let answer = ask(stream, "/healthz", &format!("host: {host}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer.contains("strict-transport-security: max-age=15552000\r\n")
    };
    assert!(insists(&server, "video.example.org:8443").await);
    for private in ["192.0.2.1", "[2001:db8::1]:8443", "localhost:8443", "robot.local", "robot"] {
        assert!(!insists(&server, private).await, "{private}");
    }
    server.stop().await;
    // Nobody vouches for this one, and a browser that insisted could not be told to go on.
    let own = format!("state_dir = {:?}\n[tls]\nmode = \"self_signed\"\n", folder.root());
    let server = Running::start(&own).await;
    assert!(!insists(&server, "video.example.org").await);
    server.stop().await;
}

/// Takes two of the server's looks at the files.
#[tokio::test]
async fn a_renewed_certificate_is_shown_and_connections_go_on() {
    let folder = Folder::new();
    let (old, new) = (pair(), pair());
    let server = Running::start(&files(&folder, &old)).await;
    let stream = encrypted(server.connect().await).await;
    assert_eq!(shown(&stream), der(&old.0));
    let mut client = Client::join(stream, None).await.expect("admitted");

    files(&folder, &new);
    until(async || {
        assert!(client.is_served().await, "its heartbeats are answered meanwhile");
        let now = shown(&encrypted(server.connect().await).await);
        assert!(now == der(&old.0) || now == der(&new.0));
        now == der(&new.0)
    })
    .await;
    assert!(client.is_served().await);
    server.stop().await;
}

#[tokio::test]
async fn its_own_certificate_is_the_same_after_a_restart() {
    let folder = Folder::new();
    let own = format!("state_dir = {:?}\n[tls]\nmode = \"self_signed\"\n", folder.path("state"));
    let first = Running::start(&own).await;
    let certificate = shown(&encrypted(first.connect().await).await);
    first.stop().await;
    let second = Running::start(&own).await;
    assert_eq!(shown(&encrypted(second.connect().await).await), certificate);
    second.stop().await;
    let told = server::report::describe(&toml::from_str(&own).expect("a config")).expect("described");
    assert!(told.contains("fingerprint = \"sha256:"), "{told}");
}

#[tokio::test]
async fn whoever_is_refused_is_told_so_encrypted() {
    let folder = Folder::new();
    let tls = files(&folder, &pair());
    let config = format!("trusted_proxies = []\n[limits]\nmax_connections_per_address = 1\n{tls}");
    let server = Running::start(&config).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(server.connect_from([127, 0, 0, 2]).await);
    }
    let refused = rest(encrypted(server.connect_from([127, 0, 0, 2]).await).await).await;
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    let other = ask(encrypted(server.connect_from([127, 0, 0, 3]).await).await, "/healthz", "").await;
    assert!(other.starts_with("HTTP/1.1 200"), "{other}");
    drop(held);
    server.stop().await;
}
