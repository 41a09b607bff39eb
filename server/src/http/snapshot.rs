//! A camera's current picture, as a file.

use std::{io, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use protocol::{CameraId, Code, MAX_SNAPSHOT, Notice, RobotId};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use super::{Caller, Shared, refuse};

/// As long as the server itself takes a picture for current, and only by whoever asked: not everybody may see it.
const CACHING: &str = "private, max-age=1";

/// Bytes of pictures that are being sent to anybody: hundreds of usual ones, 32 of the largest.
const MAX_SENDING: usize = 32 * MAX_SNAPSHOT;

/// Whoever has not taken a picture by then does not get it, and makes room for others.
const SENT_WITHIN: Duration = Duration::from_secs(15);

/// What hyper is given at a time, and how many of them before it has written the first. It buffers more than all of
/// these, so that it goes on asking for the next, and so hears when time is up.
const PIECE: usize = 16 << 10;
const AHEAD: usize = 4;

/// What is left for pictures on their way to those who asked.
#[derive(Clone)]
pub(super) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_SENDING)))
    }
}

pub(super) async fn of_robot(
    State(shared): State<Shared>,
    robot: Result<Path<RobotId>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    match robot {
        Ok(Path(robot)) => answer(&shared, &headers, robot, None).await,
        Err(_) => not_found(),
    }
}

pub(super) async fn of_camera(
    State(shared): State<Shared>,
    names: Result<Path<(RobotId, CameraId)>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    match names {
        Ok(Path((robot, camera))) => answer(&shared, &headers, robot, Some(camera)).await,
        Err(_) => not_found(),
    }
}

async fn answer(shared: &Shared, headers: &HeaderMap, robot: RobotId, camera: Option<CameraId>) -> Response {
    let permitted = Caller::of(headers, shared).and_then(|caller| caller.may_watch(&robot));
    if let Err(notice) = permitted {
        return refuse(&notice);
    }
    match shared.rooms.snapshot(robot, camera).await {
        Some(Ok(jpeg)) => send(jpeg, &shared.pictures),
        Some(Err(notice)) => refuse(&notice),
        None => (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response(),
    }
}

fn send(jpeg: Bytes, room: &Room) -> Response {
    let length = u32::try_from(jpeg.len()).expect("pictures are smaller");
    let Ok(share) = room.0.clone().try_acquire_many_owned(length) else {
        return refuse(&Notice::new(
            Code::Full,
            "More pictures are being sent than this server holds. Try again in a second.",
        ));
    };
    let headers = [(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, CACHING)];
    (headers, [(header::CONTENT_LENGTH, length)], body(jpeg, share)).into_response()
}

/// The picture piece by piece, each when there is room for it, or an error when time is up. `share` is kept until then.
fn body(jpeg: Bytes, share: OwnedSemaphorePermit) -> Body {
    let (until, ahead) = (Instant::now() + SENT_WITHIN, Arc::new(Semaphore::new(AHEAD)));
    let pieces = stream::unfold(Some((jpeg, share)), move |rest| {
        let ahead = ahead.clone();
        async move {
            let (mut jpeg, share) = rest.filter(|(jpeg, _)| !jpeg.is_empty())?;
            let Ok(Ok(place)) = timeout_at(until, ahead.acquire_owned()).await else {
                return Some((Err(io::Error::from(io::ErrorKind::TimedOut)), None));
            };
            // A copy, so that it does not keep the whole.
            let bytes = jpeg.split_to(jpeg.len().min(PIECE)).to_vec();
            Some((Ok(Bytes::from_owner(Piece { bytes, _place: place })), Some((jpeg, share))))
        }
    });
    Body::from_stream(pieces)
}

/// Makes room for the next when it has been written.
struct Piece {
    bytes: Vec<u8>,
    _place: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "There is nothing here.\n").into_response()
}

#[cfg(test)]
mod tests {
    use axum::{Router, routing::get};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        task::JoinSet,
    };

    use super::*;

    fn room(bytes: usize) -> Room {
        Room(Arc::new(Semaphore::new(bytes)))
    }

    /// Somebody who has been told that the picture comes; whatever serves it ends with the tasks.
    async fn reader(jpeg: Bytes, room: Room, tasks: &mut JoinSet<()>) -> TcpStream {
        let app = Router::new().route("/", get(move || async move { send(jpeg, &room) }));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tasks.spawn(async move { axum::serve(listener, app).await.expect("serves") });
        let mut reader = TcpStream::connect(address).await.expect("connects");
        reader.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.expect("asks");
        let mut head = [0; 15];
        reader.read_exact(&mut head).await.expect("an answer");
        assert_eq!(&head, b"HTTP/1.1 200 OK");
        reader
    }

    #[tokio::test]
    async fn a_picture_arrives_whole() {
        let (mut tasks, room) = (JoinSet::new(), Room::default());
        let jpeg = Bytes::from((0..3_000_001_u32).map(|number| number.to_le_bytes()[0]).collect::<Vec<u8>>());
        let mut response = Vec::new();
        reader(jpeg.clone(), room.clone(), &mut tasks).await.read_to_end(&mut response).await.expect("a response");
        assert!(response.ends_with(&[&b"\r\n\r\n"[..], &jpeg[..]].concat()));
        assert!(response.windows(23).any(|bytes| bytes == b"content-length: 3000001"));
        assert_eq!(room.0.available_permits(), MAX_SENDING);
    }

    #[tokio::test]
    async fn pictures_that_are_being_sent_are_bounded() {
        let (room, jpeg) = (room(250_000), Bytes::from(vec![7; 100_000]));
        let [first, second] = [(); 2].map(|()| send(jpeg.clone(), &room));
        assert_eq!((first.status(), second.status()), (StatusCode::OK, StatusCode::OK));
        let refused = send(jpeg.clone(), &room);
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
        drop(first);
        assert_eq!(send(jpeg, &room).status(), StatusCode::OK);
        drop(second);
        assert_eq!(room.0.available_permits(), 250_000);
    }

    /// More than the sockets' buffers hold. The paused clock moves on as soon as nothing else does.
    #[tokio::test(start_paused = true)]
    async fn who_does_not_take_a_picture_in_time_makes_room_for_others() {
        const LARGE: usize = 64 << 20;
        let (mut tasks, room) = (JoinSet::new(), room(LARGE));
        let mut reader = reader(Bytes::from(vec![7; LARGE]), room.clone(), &mut tasks).await;
        let _all = room.0.acquire_many(u32::try_from(LARGE).expect("fits")).await.expect("open");
        let mut rest = Vec::new();
        let ended = reader.read_to_end(&mut rest).await;
        assert!(rest.len() < LARGE, "{ended:?}");
    }

    #[tokio::test]
    async fn who_asks_too_often_is_told_so_in_the_words_of_http() {
        let refused = refuse(&Notice::new(Code::RateLimited, "Slowly."));
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
    }
}
