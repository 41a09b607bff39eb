//! Who is where makes no difference.

use serde_json::{Value, json};

use crate::{Two, admitted, client::Client, robot};

const OFFER: &str = "v=0\r\nm=video 9 x 96\r\n";

#[tokio::test]
async fn a_viewer_at_one_server_and_a_robot_at_the_other_speak_as_at_one() {
    let two = Two::start().await;
    for (here, there) in [(0, 1), (1, 0), (0, 0)] {
        let name = format!("r{here}{there}");
        let mut robot = robot(&two.servers[here], &name).await;
        let mut viewer = Client::connect(two.servers[there].address).await;
        let admission = admitted(&mut viewer, &name).await;
        let ticket = robot.meet(&mut viewer, &admission).await;
        assert_eq!(ticket["session"], admission["session"]);
        robot.say(&json!(["offer", viewer.id, { "type": "offer", "sdp": OFFER }])).await;
        let offer = viewer.expect("offer").await;
        assert_eq!((&offer[0], &offer[1]["sdp"]), (&json!(robot.id), &json!(OFFER)));
        viewer.say(&json!(["answer", robot.id, { "type": "answer", "sdp": OFFER }])).await;
        assert_eq!(robot.expect("answer").await[0], viewer.id);
        for candidate in 0..20 {
            let line = format!("candidate:{candidate} 1 udp 1 192.0.2.1 1 typ host");
            viewer.say(&json!(["candidate", robot.id, { "candidate": line }])).await;
        }
        for candidate in 0..20 {
            let heard = robot.expect("candidate").await;
            let line = heard[1]["candidate"].as_str().expect("a candidate");
            assert!(line.starts_with(&format!("candidate:{candidate} ")), "in order: {line}");
        }
        drop(viewer);
        // It may come back for a while; who leaves in good order may not.
        let mut other = Client::connect(two.servers[there].address).await;
        admitted(&mut other, &name).await;
        let watcher = robot.expect("watcher").await;
        other.raw("41").await;
        assert_eq!(robot.expect("disconnectPeer").await[0], watcher[0]);
        assert_eq!(robot.expect("bye").await[0], watcher[0]);
    }
}

#[tokio::test]
async fn whoever_waits_at_one_server_hears_of_a_robot_that_comes_to_the_other() {
    let two = Two::start().await;
    let mut viewer = Client::connect(two.servers[0].address).await;
    let reply = viewer.ask(&json!(["watcher", { "version": 1, "robot": "late" }])).await;
    assert_eq!(reply["error"]["code"], "unknown_robot", "{reply}");
    let first = robot(&two.servers[1], "late").await;
    assert_eq!(viewer.expect("broadcaster").await[0]["robot"], "late");
    let admission = admitted(&mut viewer, "late").await;
    drop(first);
    assert_eq!(viewer.expect("broadcasterLeft").await[0]["robot"], "late");
    // It comes back to the other server, and names the session that goes on.
    let mut second = Client::connect(two.servers[0].address).await;
    let register = json!({ "version": 1, "robot": "late", "sessions": [admission["session"]] });
    second.ask(&json!(["broadcaster", register])).await;
    assert_eq!(viewer.expect("broadcaster").await[0]["robot"], "late");
    let resume = json!({ "version": 1, "robot": "late", "resume": admission["session"] });
    let resumed = viewer.ask(&json!(["watcher", resume])).await;
    assert_eq!((&resumed["resumed"], &resumed["session"]), (&json!(true), &admission["session"]), "{resumed}");
}

#[tokio::test]
async fn a_robots_limit_counts_viewers_wherever_they_are() {
    let two = Two::with("[limits]\nmax_viewers = 3").await;
    let _robot = robot(&two.servers[0], "r").await;
    let mut viewers = Vec::new();
    for number in 0..3 {
        let mut viewer = Client::connect(two.servers[number % 2].address).await;
        admitted(&mut viewer, "r").await;
        viewers.push(viewer);
    }
    for server in &two.servers {
        let mut viewer = Client::connect(server.address).await;
        let reply = viewer.ask(&json!(["watcher", { "version": 1, "robot": "r" }])).await;
        assert_eq!(reply["error"]["code"], "full", "{reply}");
    }
}

#[tokio::test]
async fn the_page_lists_robots_of_all_servers() {
    let two = Two::start().await;
    let _robots = [robot(&two.servers[0], "one").await, robot(&two.servers[1], "other").await];
    for server in &two.servers {
        let mut viewer = Client::connect(server.address).await;
        for name in ["one", "other"] {
            admitted(&mut viewer, name).await;
        }
        let live: Vec<Value> = serde_json::from_str(&server.get("/api/v1/robots").await).expect("a list");
        let names: Vec<&str> = live.iter().filter_map(|robot| robot["robot"].as_str()).collect();
        assert!(names.contains(&"one") && names.contains(&"other"), "{names:?}");
    }
}
