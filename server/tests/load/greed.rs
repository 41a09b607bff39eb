//! Those who say too much at a time, or take too many places.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

use crate::{
    client::{Client, within},
    support::{PER_ADDRESS, Running, UPGRADE},
};

const SIZES: [usize; 3] = [1 << 20, 15 << 20, 40 << 20];

/// What any of them may cost in memory.
const COST: u64 = 2_000_000;

/// Sends as much of this as the server takes, and waits until it has ended the connection.
async fn pour(mut stream: TcpStream, head: &[u8], mut body: usize) -> usize {
    let piece = vec![b'a'; 1 << 16];
    let whole = body;
    let poured = async {
        stream.write_all(head).await?;
        while body > 0 {
            let part = &piece[..body.min(piece.len())];
            stream.write_all(part).await?;
            body -= part.len();
        }
        // It is told what was wrong, or hung up on.
        stream.read_to_end(&mut Vec::new()).await
    };
    // What is not taken is not sent.
    let _ = within(poured).await;
    whole - body
}

/// A request with a body that is announced, or comes in pieces of a size of its own.
fn post(path: &str, kind: &str, length: Option<usize>) -> Vec<u8> {
    let framing = length.map_or("transfer-encoding: chunked".to_owned(), |length| format!("content-length: {length}"));
    let mut head =
        format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\nconnection: close\r\n{framing}\r\n\r\n")
            .into_bytes();
    if length.is_none() {
        // The rest is one chunk of the greatest length.
        head.extend(b"fffffff\r\n");
    }
    head
}

/// Where somebody says things who comes without a WebSocket.
async fn polled(mut stream: TcpStream) -> String {
    let path = "/socket.io/?EIO=4&transport=polling";
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    within(stream.write_all(request.as_bytes())).await.expect("asked");
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.expect("an answer");
    let (_, rest) = answer.split_once("\"sid\":\"").expect("an id");
    format!("{path}&sid={}", rest.split('"').next().expect("its end"))
}

/// A WebSocket that has joined, with all that it may do, as bare bytes.
async fn websocket(server: &Running) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.expect("connects");
    within(stream.write_all(UPGRADE.as_bytes())).await.expect("asked");
    let mut answer = Vec::new();
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        answer.push(within(stream.read_u8()).await.expect("an answer"));
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    stream
}

/// The beginning of a frame (RFC 6455, section 5.2) of so many bytes, masked with nothing.
fn frame(opcode: u8, is_last: bool, length: usize) -> Vec<u8> {
    let first = opcode | if is_last { 0x80 } else { 0 };
    [&[first, 0x80 | 127][..], &(length as u64).to_be_bytes(), &[0; 4]].concat()
}

#[tokio::test]
async fn what_is_too_large_costs_nothing() {
    const TEXT: u8 = 1;
    const BINARY: u8 = 2;
    let server = Running::start("").await;
    let mut robot = server.robot().await;
    let connect = async || TcpStream::connect(server.address).await.expect("connects");
    // What everybody needs once is there from here on.
    pour(connect().await, &post("/api/v1/visit", "application/json", Some(10)), 10).await;
    pour(websocket(&server).await, &frame(TEXT, true, 1 << 16), 1 << 16).await;
    for size in SIZES {
        let length = |announced: bool| announced.then_some(size);
        let mut heads = Vec::new();
        for announced in [true, false] {
            heads.push(post(&polled(connect().await).await, "text/plain", length(announced)));
            heads.push(post("/socket.io/?EIO=4&transport=polling", "text/plain", length(announced)));
            heads.push(post("/api/v1/visit", "application/json", length(announced)));
            heads.push(post("/api/v1/operators/robots", "application/json", length(announced)));
            heads.push(post("/watch/demo", "text/plain", length(announced)));
        }
        heads.push(b"GET /".to_vec());
        heads.push(b"GET / HTTP/1.1\r\nhost: x\r\nx-long: ".to_vec());
        for head in &heads {
            server.forget_peak();
            let before = server.footprint();
            let taken = pour(connect().await, head, size).await;
            let cost = server.footprint().peak.saturating_sub(before.resident);
            assert!(cost < COST, "{cost} bytes for {taken} of {size} after {:?}", String::from_utf8_lossy(head));
        }
        for (opcode, is_last) in [(TEXT, true), (TEXT, false), (BINARY, true)] {
            let stream = websocket(&server).await;
            server.forget_peak();
            let before = server.footprint();
            let taken = pour(stream, &frame(opcode, is_last, size), size).await;
            let cost = server.footprint().peak.saturating_sub(before.resident);
            assert!(cost < COST, "{cost} bytes for {taken} of a frame of {size}");
        }
        // A message in frames that are each as small as they may be.
        let mut stream = websocket(&server).await;
        server.forget_peak();
        let before = server.footprint();
        let piece = [frame(TEXT, false, 60_000), vec![b'a'; 60_000]].concat();
        let next = [frame(0, false, 60_000), vec![b'a'; 60_000]].concat();
        let poured = async {
            stream.write_all(&piece).await?;
            for _ in 0..size / next.len() {
                stream.write_all(&next).await?;
            }
            stream.read_to_end(&mut Vec::new()).await
        };
        // What is not taken is not sent.
        let _ = within(poured).await;
        let cost = server.footprint().peak.saturating_sub(before.resident);
        assert!(cost < COST, "{cost} bytes for frames of {size} together");
    }
    let reply = robot.ask(&json!(["broadcaster", { "version": 1, "robot": "demo" }])).await;
    assert_eq!(reply["ok"], true, "nobody else was disturbed: {reply}");
}

#[tokio::test]
#[ignore = "measures"]
async fn whoever_takes_all_that_an_address_may_have_keeps_nobody_out() {
    const IDLE: usize = 2_000;
    let server = Running::start("").await;
    let _robot = server.robot().await;
    let (mut sitting, mut refused, mut lines) = (Vec::new(), 0, Vec::new());
    for _ in 0..IDLE {
        let stream = server.connect_from([127, 0, 0, 2].into()).await;
        // Some of them are told at once that there are too many.
        if sitting.len() < PER_ADDRESS {
            sitting.push(Client::over(stream, None, None).await.expect("admitted"));
        } else {
            lines.push(stream);
        }
    }
    for stream in lines.iter_mut().rev().take(10) {
        let mut told = [0; 12];
        let read = within(stream.read(&mut told)).await.unwrap_or_default();
        refused += usize::from(read == 0 || &told == b"HTTP/1.1 429");
    }
    assert_eq!((sitting.len(), refused), (PER_ADDRESS, 10));
    server.knows_of(PER_ADDRESS + 1, 0).await;
    let began = Instant::now();
    let _other = server.watcher(0).await;
    let took = began.elapsed();
    println!("beside {IDLE} idle connections of one address, another joins in {took:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
}
