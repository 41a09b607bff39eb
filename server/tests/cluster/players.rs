//! A player at one server, and its robot at another one.

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{Two, client::within, robot, support::Running};

const SDP: &str = "v=0\r\nm=video 9 x 96\r\n";

/// The answer's status line, head and body.
async fn request(server: &Running, method: &str, path: &str, body: &str) -> String {
    let mut connection = TcpStream::connect(server.address).await.expect("connects");
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.0\r\nhost: x\r\ncontent-type: application/sdp\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    connection.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    within(connection.read_to_string(&mut answer)).await.expect("an answer");
    answer
}

#[tokio::test]
async fn a_player_is_answered_by_a_robot_that_is_elsewhere() {
    let two = Two::start().await;
    let [here, there] = &two.servers;
    let mut robot = robot(there, "r").await;
    // Until this one has heard of it.
    while !here.get("/api/v1/robots").await.contains("\"r\"") {
        tokio::task::yield_now().await;
    }
    let answers = async {
        let watcher = robot.expect("watcher").await;
        assert_eq!(watcher[1]["offers"], true);
        let offer = robot.expect("offer").await;
        assert_eq!((&offer[0], &offer[1]["sdp"]), (&watcher[0], &json!(SDP)));
        robot.say(&json!(["answer", watcher[0], { "type": "answer", "sdp": SDP }])).await;
        (robot, watcher[0].clone())
    };
    let ((mut robot, player), answer) = tokio::join!(answers, request(here, "POST", "/whep/r", SDP));
    assert!(answer.starts_with("HTTP/1.0 201") && answer.ends_with(SDP), "{answer}");
    let location = answer.lines().find_map(|line| line.strip_prefix("location: ")).expect("it is somewhere");
    assert!(request(here, "DELETE", location, "").await.starts_with("HTTP/1.0 200"));
    assert_eq!(robot.expect("disconnectPeer").await[0], player);
}
