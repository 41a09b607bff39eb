//! What no decent client says: its sender is told, and nobody else notices.

use std::time::Duration;

use broadcaster::signalling::{Connection, Incoming};
use protocol::{Code, PeerId, ToServer, ToViewer, Watch};
use tests::World;

use crate::{PATIENCE, leaving_nothing};

/// A viewer that only talks, and says what it likes.
struct Talker {
    link: Connection,
    robot: PeerId,
}

impl Talker {
    /// Joins, and leaves the robot's offer unanswered.
    async fn join(world: &World) -> anyhow::Result<Self> {
        let mut link = Connection::open(&world.url(), None).await?;
        link.emit(&ToServer::Watcher { watch: Some(Watch::default()) }).await?;
        loop {
            if let Incoming::Event(json) = link.next().await?
                && let Ok(ToViewer::Offer { from, .. }) = ToViewer::decode(&json)
            {
                return Ok(Self { link, robot: from });
            }
        }
    }

    async fn say(&mut self, event: serde_json::Value) -> anyhow::Result<()> {
        Ok(self.link.send_raw(format!("42{event}")).await?)
    }

    /// The next notice; candidates and the like may come before it.
    async fn notice(&mut self) -> anyhow::Result<Code> {
        let notice = async {
            loop {
                if let Incoming::Event(json) = self.link.next().await?
                    && let Ok(ToViewer::Notice { notice, .. }) = ToViewer::decode(&json)
                {
                    return Ok::<_, anyhow::Error>(notice.code);
                }
            }
        };
        tokio::time::timeout(PATIENCE, notice).await?
    }
}

fn sdp(bytes: usize) -> String {
    let head = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 102\r\n";
    format!("{head}a={}\r\n", "x".repeat(bytes.saturating_sub(head.len())))
}

#[test]
fn bad_input_is_answered_to_its_sender_and_noticed_by_nobody_else() -> anyhow::Result<()> {
    leaving_nothing(async {
        let world = World::start().await?;
        let robot = world.robot("demo");
        let mut witness = world.viewer("demo");
        witness.until(PATIENCE, |reception| reception.frames >= 10).await?;

        let mut talker = Talker::join(&world).await?;
        let to = talker.robot.to_string();
        let description = |sdp: String| serde_json::json!({ "type": "answer", "sdp": sdp });
        let bad: [(serde_json::Value, Code); 12] = [
            (serde_json::json!(["answer", to, null]), Code::Malformed),
            (serde_json::json!(["answer", to, description(String::new())]), Code::Malformed),
            (serde_json::json!(["answer", to, description(sdp(40_000))]), Code::TooLarge),
            (serde_json::json!(["answer", to, 7]), Code::Malformed),
            (serde_json::json!(["answer", to, { "type": "offer", "sdp": sdp(200) }]), Code::Malformed),
            (serde_json::json!(["answer", 7, description(sdp(200))]), Code::Malformed),
            (serde_json::json!(["candidate", to, { "candidate": "candidate:?" }]), Code::Malformed),
            (serde_json::json!(["candidate", to, "candidate"]), Code::Malformed),
            (serde_json::json!(["candidate", "somebodyelse", { "candidate": "" }]), Code::Unauthorized),
            (serde_json::json!(["offer", to, { "type": "offer", "sdp": sdp(200) }]), Code::Malformed),
            (serde_json::json!(["shutdown", {}]), Code::Malformed),
            (serde_json::json!(["watcher", { "robot": "../../etc/passwd" }]), Code::Malformed),
        ];
        for (event, code) in bad {
            let shown = event.to_string().chars().take(100).collect::<String>();
            talker.say(event).await?;
            assert_eq!(talker.notice().await?, code, "{shown}");
        }

        // A megabyte is no message; what the server does with its sender is the sender's problem.
        let huge = serde_json::json!(["answer", to, description(sdp(1_000_000))]);
        let refused = async {
            talker.say(huge).await?;
            talker.notice().await
        };
        match tokio::time::timeout(PATIENCE, refused).await? {
            Ok(code) => assert_eq!(code, Code::TooLarge),
            Err(error) => tracing::debug!(%error, "dropped"),
        }

        // An answer that only the robot's stack can judge ends that session and no other.
        let mut talker = Talker::join(&world).await?;
        let nonsense = serde_json::json!(["answer", talker.robot.to_string(), description(sdp(200))]);
        talker.say(nonsense).await?;
        assert_eq!(talker.notice().await?, Code::Malformed);

        let frames = witness.reception().frames;
        witness.until(PATIENCE, |reception| reception.frames >= frames + 30).await?;
        let reception = witness.leave().await?;
        assert_eq!((reception.missed, reception.offers), (0, 1), "{reception:?}");
        assert!(reception.notices.is_empty(), "{reception:?}");
        drop(talker);
        robot.stop().await?;
        world.stop().await
    })
}

#[test]
fn an_unknown_robot_is_refused_by_name() -> anyhow::Result<()> {
    leaving_nothing(async {
        let world = World::start().await?;
        let mut viewer = world.viewer("nobody");
        let refusal = viewer.until(Duration::from_secs(30), |reception| reception.refused.is_some()).await?.refused;
        assert_eq!(refusal.as_ref().map(|notice| notice.code), Some(Code::UnknownRobot));
        assert!(refusal.is_some_and(|notice| notice.message.contains("nobody")));
        viewer.leave().await?;
        world.stop().await
    })
}
