//! A camera's current picture, fetched over HTTP as anybody would.

use std::time::{Duration, SystemTime};

use anyhow::Context;
use serde_json::json;
use tests::{Folder, Playback, Shown, World};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{PATIENCE, leaving_nothing};

struct Response {
    head: String,
    body: Vec<u8>,
}

impl Response {
    fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

async fn get(world: &World, path: &str) -> anyhow::Result<Response> {
    let url = world.url().to_string();
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let mut connection = TcpStream::connect(address).await?;
    connection.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    let mut response = Vec::new();
    tokio::time::timeout(PATIENCE, connection.read_to_end(&mut response)).await??;
    let end = response.windows(4).position(|bytes| bytes == b"\r\n\r\n").context("a response has a head")?;
    let head = String::from_utf8(response[..end].to_vec())?.to_lowercase();
    Ok(Response { head, body: response[end + 4..].to_vec() })
}

/// Asks until there is a picture: a robot takes a moment to be there, and a camera to run.
async fn picture(world: &World, path: &str) -> anyhow::Result<Shown> {
    let mut again = tokio::time::interval(Duration::from_millis(20));
    let fetched = async {
        loop {
            again.tick().await;
            let response = get(world, path).await?;
            if response.status() == "200" {
                return anyhow::Ok(response);
            }
        }
    };
    let response = tokio::time::timeout(PATIENCE, fetched).await??;
    assert!(response.head.contains("content-type: image/jpeg"), "{}", response.head);
    assert!(response.head.contains("cache-control: private, max-age=1"), "{}", response.head);
    let folder = Folder::new()?;
    let file = folder.path().join("snapshot.jpg");
    std::fs::write(&file, response.body)?;
    Playback::of(&file)?.pictures.pop().context("one picture")
}

#[test]
fn a_drawn_camera_is_seen_as_it_is_now() -> anyhow::Result<()> {
    leaving_nothing(async {
        let world = World::start().await?;
        let section = json!({ "id": "main", "source": "test", "width": 1280, "height": 640, "fps": 10 });
        let robot = world.robot_with_camera("demo", section)?;
        for path in ["/api/v1/robots/demo/snapshot.jpg", "/api/v1/robots/demo/cameras/main/snapshot.jpg"] {
            let picture = picture(&world, path).await?;
            assert_eq!((picture.width, picture.height), (1280, 640));
            let taken = picture.taken().context("the stamp can be read")?;
            let age = SystemTime::now().duration_since(taken).unwrap_or_default();
            assert!(age < Duration::from_secs(5), "{age:?} old");
        }
        let missing = get(&world, "/api/v1/robots/demo/cameras/left/snapshot.jpg").await?;
        assert_eq!((missing.status(), missing.text().contains("it has: main")), ("404", true), "{}", missing.text());
        let missing = get(&world, "/api/v1/robots/nobody/snapshot.jpg").await?;
        assert_eq!((missing.status(), missing.text().contains("nobody")), ("404", true));
        robot.stop().await?;
        let offline = get(&world, "/api/v1/robots/demo/snapshot.jpg").await?;
        assert_eq!((offline.status(), offline.text().as_str()), ("503", "Robot demo is not connected.\n"));
        assert!(offline.head.contains("retry-after: 1"), "{}", offline.head);
        world.stop().await
    })
}

#[test]
fn of_a_camera_whose_pictures_come_encoded_the_last_keyframe_is_decoded() -> anyhow::Result<()> {
    leaving_nothing(async {
        let world = World::start().await?;
        // Keyframes come when they are asked for, and else hardly ever.
        let white = "videotestsrc is-live=true pattern=white ! video/x-raw,format=I420,width=320,height=160,framerate=10/1 \
                     ! x264enc tune=zerolatency key-int-max=1000";
        let section = json!({
            "id": "main", "source": "pipeline", "pipeline": white, "passthrough": true,
            "width": 320, "height": 160, "fps": 10,
        });
        let robot = world.robot_with_camera("demo", section)?;
        let picture = picture(&world, "/api/v1/robots/demo/snapshot.jpg").await?;
        assert_eq!((picture.width, picture.height), (320, 160));
        let darkest = picture.grey.iter().min();
        assert!(darkest.is_some_and(|grey| *grey > 250), "white is white in a file, too: {darkest:?}");
        robot.stop().await?;
        world.stop().await
    })
}
