//! A small camera that really runs. Time passes in frames: nothing here depends on how fast the machine is.

mod encoders;
mod sources;
mod tape;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{Capture, CaptureError, Feed, open};
use crate::{
    config::{Camera, Rung, Sound, Source},
    media::{AccessUnit, Encoding, NtpTime, Running, VideoCodec},
};

/// Slow enough that a busy machine loses no frame to anybody's lateness.
const FPS: u32 = 10;
const FRAME: Duration = Duration::from_millis(100);
const PACKET: Duration = Duration::from_millis(20);
const HANG: Duration = Duration::from_secs(60);

const BEST: Encoding = Encoding::Video { rung: 0, codec: VideoCodec::H264 };
const SMALL: Encoding = Encoding::Video { rung: 1, codec: VideoCodec::H264 };

/// A camera whose every unit is taken at once.
struct Watched {
    units: mpsc::UnboundedReceiver<(Encoding, AccessUnit)>,
    /// What viewers are told: that the camera is lost, or that it has pictures again.
    lost: mpsc::UnboundedReceiver<bool>,
    running: watch::Sender<Running>,
    keyframes: mpsc::Sender<Encoding>,
    cancel: CancellationToken,
    capture: JoinSet<Result<(), CaptureError>>,
    takers: JoinSet<()>,
}

impl Watched {
    fn start(small_fps: u32) -> Self {
        let camera = Camera { sound: Sound::Tone, ..small(Source::Test) };
        let rungs = [
            Rung { width: 160, fps: None, bitrate: 300_000 },
            Rung { width: 80, fps: Some(small_fps), bitrate: 100_000 },
        ];
        Self::watch(camera, &rungs)
    }

    fn watch(camera: Camera, rungs: &[Rung]) -> Self {
        let (feed, capture) = open(camera, rungs);
        Self::attend(feed, capture)
    }

    fn attend(feed: Feed, capture: Capture) -> Self {
        let (all, units) = mpsc::unbounded_channel();
        let mut takers = JoinSet::new();
        for (encoding, mut source) in feed.units {
            let all = all.clone();
            takers.spawn(async move {
                while let Some(unit) = source.recv().await {
                    if all.send((encoding, unit)).is_err() {
                        break;
                    }
                }
            });
        }
        let (told, lost) = mpsc::unbounded_channel();
        let mut losses = feed.lost;
        takers.spawn(async move {
            while let Some(lost) = losses.recv().await {
                // Not every test wants to know.
                let _ = told.send(lost);
            }
        });
        let cancel = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(capture.run(cancel.clone()));
        Self { units, lost, running: feed.running, keyframes: feed.keyframes, cancel, capture: tasks, takers }
    }

    fn run<const N: usize>(&self, encodings: [Encoding; N]) {
        self.running.send_replace(encodings.map(|encoding| (encoding, None)).into());
    }

    async fn next(&mut self) -> (Encoding, AccessUnit) {
        tokio::select! {
            Some(unit) = self.units.recv() => unit,
            ended = self.capture.join_next() => panic!("the capture ended: {ended:?}"),
            () = tokio::time::sleep(HANG) => panic!("nothing comes any more"),
        }
    }

    /// The next unit of this encoding; those of others are passed over. It must come before an encoder makes a keyframe
    /// by itself, which takes 300 pictures.
    async fn next_of(&mut self, wanted: Encoding) -> AccessUnit {
        for _ in 0..200 {
            let (encoding, unit) = self.next().await;
            if encoding == wanted {
                return unit;
            }
        }
        panic!("{wanted:?} does not come");
    }

    /// Waits until `count` units in a row are of this encoding.
    async fn only(&mut self, wanted: Encoding, count: usize) {
        let mut row = 0;
        for _ in 0..100 * count {
            row = if self.next().await.0 == wanted { row + 1 } else { 0 };
            if row == count {
                return;
            }
        }
        panic!("others than {wanted:?} do not stop");
    }

    /// Waits until both encodings have given the same picture, to the nanosecond of media time.
    async fn same_picture(&mut self, one: Encoding, other: Encoding) {
        let (mut ones, mut others) = (BTreeSet::new(), BTreeSet::new());
        for _ in 0..100 {
            let (encoding, unit) = self.next().await;
            if encoding == one {
                ones.insert(unit.captured.media);
            } else if encoding == other {
                others.insert(unit.captured.media);
            }
            if !ones.is_disjoint(&others) {
                return;
            }
        }
        panic!("no picture in common: {ones:?} and {others:?}");
    }

    /// Stops as the broadcaster does; nothing may be left running.
    async fn stop(mut self) {
        self.cancel.cancel();
        let ended = self.capture.join_next().await.expect("one task");
        assert!(matches!(ended, Ok(Ok(()))), "{ended:?}");
        let channels_closed = tokio::time::timeout(HANG, self.takers.join_all()).await;
        assert!(channels_closed.is_ok(), "something still holds a way out of the pipeline");
    }
}

fn small(source: Source) -> Camera {
    Camera { source, width: 160, height: 80, fps: FPS, ..Camera::synthetic("main".parse().expect("an id")) }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn ntp_now() -> NtpTime {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let fraction = (u64::from(unix.subsec_nanos()) << 32) / 1_000_000_000;
    NtpTime((unix.as_secs() + 2_208_988_800) << 32 | fraction)
}

/// Width and height in the header of a VP8 keyframe (RFC 6386, section 9.1), if it is one.
fn vp8_size(data: &[u8]) -> Option<(u16, u16)> {
    match data {
        [tag, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] if tag & 1 == 0 => {
            Some((u16::from_le_bytes([*w0, *w1]) & 0x3fff, u16::from_le_bytes([*h0, *h1]) & 0x3fff))
        }
        _ => None,
    }
}

#[tokio::test]
async fn a_camera_gives_what_is_asked_for_and_nothing_else() {
    let mut camera = Watched::start(FPS);
    // Sound tells that the camera runs while no picture is asked for.
    camera.run([Encoding::Audio]);
    for _ in 0..50 {
        assert_eq!(camera.next().await.0, Encoding::Audio);
    }
    camera.run([BEST]);
    let first = camera.next_of(BEST).await;
    assert!(first.keyframe);
    camera.only(BEST, 5).await;

    camera.run([BEST, SMALL]);
    assert!(camera.next_of(SMALL).await.keyframe);
    camera.same_picture(BEST, SMALL).await;

    camera.run([SMALL]);
    camera.only(SMALL, 5).await;
    let switched_on = now();
    camera.run([BEST, SMALL]);
    let again = camera.next_of(BEST).await;
    assert!(again.keyframe, "it does not go on from before its rest");
    assert!(again.captured.instant + 2 * FRAME > switched_on, "nothing was kept for it");
    assert!(again.captured.media > first.captured.media + 5 * FRAME);
    camera.same_picture(BEST, SMALL).await;
    camera.stop().await;
}

#[tokio::test]
async fn a_keyframe_is_made_where_it_is_asked_for() {
    let mut camera = Watched::start(FPS);
    camera.run([BEST, SMALL]);
    assert!(camera.next_of(BEST).await.keyframe);
    camera.same_picture(BEST, SMALL).await;
    assert!(!camera.next_of(SMALL).await.keyframe, "a start makes one, not two");

    camera.keyframes.send(SMALL).await.expect("the capture runs");
    let mut made = None;
    loop {
        let (encoding, unit) = camera.next().await;
        if encoding == SMALL && unit.keyframe {
            assert!(made.is_none(), "one is enough");
            made = Some(unit.captured.media);
        }
        assert!(encoding != BEST || !unit.keyframe, "nobody asked for this one");
        if encoding == BEST && made.is_some_and(|made| unit.captured.media > made + 3 * FRAME) {
            break;
        }
    }
    camera.stop().await;
}

#[tokio::test]
async fn vp8_comes_in_each_rungs_size_and_pace() {
    let mut camera = Watched::start(FPS / 2);
    let [best, small] = [0, 1].map(|rung| Encoding::Video { rung, codec: VideoCodec::Vp8 });
    camera.run([best, small]);
    let first = camera.next_of(small).await;
    assert_eq!((first.keyframe, vp8_size(&first.data)), (true, Some((80, 40))));
    let second = camera.next_of(small).await;
    assert_eq!((second.keyframe, vp8_size(&second.data)), (false, None));
    camera.run([best]);
    camera.only(best, 10).await;

    camera.run([small]);
    let first = camera.next_of(small).await;
    assert_eq!(vp8_size(&first.data), Some((80, 40)), "a keyframe after a rest, too");
    let mut last = first.captured.media;
    for _ in 0..10 {
        last = camera.next_of(small).await.captured.media;
    }
    assert!(last - first.captured.media > 9 * 2 * FRAME, "half the pace, with nothing to catch up on");
    camera.run([best]);
    assert_eq!(vp8_size(&camera.next_of(best).await.data), Some((160, 80)));
    camera.stop().await;
}

#[tokio::test]
async fn sound_comes_in_packets_of_20_ms_on_the_pictures_clock() {
    let mut camera = Watched::start(FPS);
    for _ in 0..2 {
        let (switched_on, wall) = (now(), ntp_now());
        camera.run([Encoding::Audio, BEST]);
        let mut last = camera.next_of(Encoding::Audio).await.captured;
        assert!(last.instant + 2 * PACKET > switched_on, "nothing was kept from before");
        let mut whole = 0;
        for _ in 0..50 {
            let next = camera.next_of(Encoding::Audio).await.captured;
            let step = next.media - last.media;
            // A machine that falls behind loses whole packets.
            assert!(!step.is_zero() && step.as_nanos().is_multiple_of(PACKET.as_nanos()), "{step:?}");
            whole += u32::from(step == PACKET);
            last = next;
        }
        assert!(whole >= 20, "{whole} of 50 packets came right after the one before");
        let picture = camera.next_of(BEST).await.captured;
        assert!(last.ntp.0 > wall.0 && picture.ntp.0 < ntp_now().0, "the wall clock says so, too");
        assert!(picture.media.abs_diff(last.media) < Duration::from_secs(10));
        camera.run([BEST]);
        camera.only(BEST, 5).await;
    }
    camera.stop().await;
}
