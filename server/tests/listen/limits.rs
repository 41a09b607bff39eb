//! No address takes more than its share, and none the others' share.

use tokio::time::Instant;

use crate::support::{Client, Running, ask, ask_after, rest, until};

/// This machine's addresses are clients like any others.
const NO_PROXY: &str = "trusted_proxies = []\n";

fn limits(each: usize, all: usize) -> String {
    format!("[limits]\nmax_connections_per_address = {each}\nmax_connections = {all}\n")
}

#[tokio::test]
async fn an_address_with_its_share_of_connections_is_told_so_and_another_gets_in() {
    let server = Running::start(&format!("{NO_PROXY}{}", limits(1, 100))).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(server.connect_from([127, 0, 0, 2]).await);
    }
    let refused = ask(server.connect_from([127, 0, 0, 2]).await, "/healthz", "").await;
    assert!(refused.starts_with("HTTP/1.1 429 Too Many Requests\r\nretry-after: 10\r\n"), "{refused}");
    assert!(refused.contains("limits.max_connections_per_address"), "{refused}");
    let other = ask(server.connect_from([127, 0, 0, 3]).await, "/healthz", "").await;
    assert!(other.starts_with("HTTP/1.1 200"), "{other}");
    // What it calls itself does not count where nobody is believed.
    let disguised = "x-forwarded-for: 203.0.113.7\r\nforwarded: for=203.0.113.7\r\n";
    let refused = ask(server.connect_from([127, 0, 0, 2]).await, "/healthz", disguised).await;
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    drop(held);
    let again = || async { ask(server.connect_from([127, 0, 0, 2]).await, "/healthz", "").await };
    until(async || again().await.starts_with("HTTP/1.1 200")).await;
    server.stop().await;
}

#[tokio::test]
async fn a_full_server_says_that_it_is_full() {
    let server = Running::start(&format!("{NO_PROXY}{}", limits(1, 1))).await;
    let mut held = Vec::new();
    for last in 1..=4 {
        held.push(server.connect_from([127, 0, 0, last]).await);
    }
    let refused = rest(server.connect_from([127, 0, 0, 9]).await).await;
    assert!(refused.starts_with("HTTP/1.1 503 Service Unavailable\r\nretry-after: 10\r\n"), "{refused}");
    drop(held);
    server.stop().await;
}

#[tokio::test]
async fn an_address_joins_as_often_as_it_may_and_again_when_it_has_left() {
    let server = Running::start(&format!("{NO_PROXY}{}", limits(2, 100))).await;
    let join = async |last| Client::join(server.connect_from([127, 0, 0, last]).await, None).await;
    let (first, _second) = (join(2).await.expect("admitted"), join(2).await.expect("admitted"));
    assert_eq!(join(2).await.err().as_deref(), Some("crowded"));
    let _other = join(3).await.expect("admitted");
    drop(first);
    until(async || join(2).await.is_ok()).await;
    server.stop().await;
}

#[tokio::test]
async fn behind_a_proxy_it_is_the_address_that_the_proxy_names() {
    let server = Running::start(&limits(2, 100)).await;
    let join = async |on_behalf| Client::join(server.connect().await, Some(on_behalf)).await;
    let _held = [
        join("203.0.113.7").await.expect("admitted"),
        // What a client made up stands before what the proxy says.
        join("198.51.100.1, 203.0.113.7").await.expect("admitted"),
        join("2001:db8:0:1::1").await.expect("admitted"),
        join("2001:db8:0:1:ffff::2").await.expect("admitted"),
    ];
    assert_eq!(join("203.0.113.7").await.err().as_deref(), Some("crowded"));
    assert_eq!(join("2001:db8:0:1:2:3:4:5").await.err().as_deref(), Some("crowded"), "the same network");
    let _others = [join("203.0.113.8").await.expect("admitted"), join("2001:db8:0:2::1").await.expect("admitted")];
    // The proxy's own machine has no limit.
    let mut own = Vec::new();
    for _ in 0..10 {
        own.push(Client::join(server.connect().await, None).await.expect("admitted"));
    }
    server.stop().await;
}

#[tokio::test]
async fn behind_a_proxy_connections_that_never_join_are_limited_too() {
    let server = Running::start(&limits(1, 100)).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(Client::open(server.connect().await, Some("203.0.113.7")).await.expect("a WebSocket"));
    }
    let refused = Client::open(server.connect().await, Some("203.0.113.7")).await.err().expect("refused");
    assert!(refused.contains("429"), "{refused}");
    let refused = ask(server.connect().await, "/healthz", "x-forwarded-for: 203.0.113.7\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 429") && refused.contains("retry-after: 10"), "{refused}");
    let other = ask(server.connect().await, "/healthz", "x-forwarded-for: 203.0.113.8\r\n").await;
    assert!(other.starts_with("HTTP/1.1 200"), "{other}");
    drop(held);
    let again = || async { ask(server.connect().await, "/healthz", "x-forwarded-for: 203.0.113.7\r\n").await };
    until(async || again().await.starts_with("HTTP/1.1 200")).await;
    server.stop().await;
}

/// Two thousand sessions that poll, over four connections: each is less than a connection, and counts all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_poll_are_limited_however_few_connections_they_come_by() {
    let server = Running::start(NO_PROXY).await;
    let began = Instant::now();
    let asks = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: x\r\n\r\n".repeat(499);
    let mut floods = Vec::new();
    for _ in 0..4 {
        floods.push(ask_after(server.connect_from([127, 0, 0, 2]).await, asks.clone()));
    }
    let [first, second, third, fourth] = floods.try_into().ok().expect("four");
    let (first, second, third, fourth) = tokio::join!(first, second, third, fourth);
    let answers = [first, second, third, fourth].concat();
    let count = |what| answers.matches(what).count();
    let (opened, refused) = (count("HTTP/1.1 200"), count("HTTP/1.1 429"));
    assert_eq!(opened + refused, 2_000);
    // Those that never join end after five seconds, and others may come.
    let rounds = usize::try_from(began.elapsed().as_secs() / 5 + 1).expect("few");
    assert!((80..=80 * rounds).contains(&opened), "{opened} in {rounds}");
    let joined = Instant::now();
    let mut other = Client::join(server.connect_from([127, 0, 0, 3]).await, None).await.expect("admitted");
    eprintln!("{opened} of 2000 sessions in {:?}; another address joined in {:?}", began.elapsed(), joined.elapsed());
    assert!(other.is_served().await);
    server.stop().await;
}

/// Ten thousand connections from one address, held open for as long as the server lets them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_from_one_address_is_nobody_elses_affair() {
    let server = Running::start(NO_PROXY).await;
    let other = async || {
        let asked = Instant::now();
        let answer = ask(server.connect_from([127, 0, 0, 3]).await, "/healthz", "").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        asked.elapsed()
    };
    let (mut flood, mut slowest) = (Vec::new(), other().await);
    for number in 0..10_000 {
        flood.push(server.connect_from([127, 0, 0, 2]).await);
        if number % 500 == 0 {
            slowest = slowest.max(other().await);
        }
    }
    let joined = Instant::now();
    let mut client = Client::join(server.connect_from([127, 0, 0, 3]).await, None).await.expect("admitted");
    eprintln!("during the flood: answered within {slowest:?}; after it: joined within {:?}", joined.elapsed());
    assert!(client.is_served().await);
    let more = rest(server.connect_from([127, 0, 0, 2]).await).await;
    assert!(more.is_empty() || more.starts_with("HTTP/1.1 429"), "{more}");
    drop(flood);
    server.stop().await;
}
