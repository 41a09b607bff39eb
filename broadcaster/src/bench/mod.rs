//! The inside, for `make bench` to measure: the real fan-out without a server, and what cuts and keeps packets. Only with the
//! feature `bench`; no program has it.

mod capture;

pub use capture::{Captured, Encoders, make_film};

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use anyhow::Context;
use bytes::Bytes;
use protocol::ToServer;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    capture::{self as camera, Feed},
    config::{self, Camera},
    fanout::{Fanout, Limits, Named, Port, Surroundings},
    media::{AccessUnit, Encoding, Frame, Moment, NtpTime, PacketNumber, PacketSize, Ring, Running, VideoCodec},
    publish::Publisher,
    reach::ReachTasks,
    report::Health,
    signalling::LinkEvent,
    transport::Identity,
};

const BEST: Encoding = Encoding::Video { rung: 0, codec: VideoCodec::H264 };

/// The config's default for `media.max_packet`.
const WIRE: usize = 1200;

/// As between capture and fan-out.
const PICTURES_IN_FLIGHT: usize = 3;

/// As many as the encoder has threads.
const SLICES: usize = 2;

/// NTP counts from 1900.
const UNIX_TO_NTP: u64 = 2_208_988_800;

/// One encoded picture: H.264 with start codes.
#[derive(Clone)]
pub struct Picture {
    pub data: Bytes,
    pub keyframe: bool,
}

/// The real fan-out on a thread of its own, named `fanout`, on a free port of the loopback.
pub struct Robot {
    /// Of the socket that all viewers share.
    pub port: u16,
    /// What the server would say.
    pub link: mpsc::Sender<LinkEvent>,
    cancel: CancellationToken,
    threads: Vec<JoinHandle<anyhow::Result<()>>>,
    // The fan-out's line to the tasks that reach beyond NATs: there is nothing to reach.
    _reach: ReachTasks,
}

/// A camera whose pictures are given.
pub struct Lens {
    units: mpsc::Sender<AccessUnit>,
    began: Instant,
    // Without these the fan-out's wishes would fail, which costs another time than being heard.
    _running: watch::Receiver<Running>,
    _keyframes: mpsc::Receiver<Encoding>,
}

impl Robot {
    /// One camera of one quality, fed through the lens. The receiver has what the robot says to the server.
    pub fn fed(camera: &Camera, max_viewers: usize) -> anyhow::Result<(Self, Lens, mpsc::Receiver<ToServer>)> {
        let (units, taken) = mpsc::channel(PICTURES_IN_FLIGHT);
        let (running, to_run) = watch::channel(Running::new());
        let (keyframes, wanted) = mpsc::channel(1);
        let mut info = camera.info(&[]);
        info.video.rungs.truncate(1);
        let health = watch::channel(Health::new(now())).1;
        let lost = mpsc::channel(1).1;
        let feed = Feed { info, adjusts: true, units: vec![(BEST, taken)], running, keyframes, lost, health };
        let lens = Lens { units, began: now(), _running: to_run, _keyframes: wanted };
        let (robot, said) = Self::start(feed, max_viewers)?;
        Ok((robot, lens, said))
    }

    /// The camera itself, captured and encoded.
    pub fn live(camera: Camera, max_viewers: usize) -> anyhow::Result<(Self, mpsc::Receiver<ToServer>)> {
        let (feed, capture) = camera::open(camera, &[]);
        let (mut robot, said) = Self::start(feed, max_viewers)?;
        let cancel = robot.cancel.clone();
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            Ok(runtime.block_on(capture.run(cancel))?)
        };
        robot.threads.push(thread::Builder::new().name("capture".to_owned()).spawn(run)?);
        Ok((robot, said))
    }

    fn start(feed: Feed, max_viewers: usize) -> anyhow::Result<(Self, mpsc::Receiver<ToServer>)> {
        let (link, events) = mpsc::channel(crate::SIGNALLING_QUEUE);
        let (server, said) = mpsc::channel(crate::SIGNALLING_QUEUE);
        let (requests, inputs, reach) = ReachTasks::new();
        let port = Port::bind(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0), true)?;
        let number = port.number();
        let surroundings = Surroundings {
            port,
            link: events,
            server,
            requests,
            inputs,
            attitude: mpsc::channel(1).1,
            reports: watch::channel(None).0,
            publisher: Publisher::new().1,
        };
        let limits = Limits {
            threads: 1,
            max_viewers,
            packet_size: PacketSize::on_wire(WIRE),
            max_bitrate: None,
            spill: config::Spill::default(),
            is_at_home: true,
        };
        let identity = Identity::generate()?;
        let fanout =
            Fanout::new(Named { robot: "bench".parse()?, key: None }, vec![feed], identity, limits, surroundings);
        let cancel = CancellationToken::new();
        let fanout_cancel = cancel.clone();
        let run = move || Ok(fanout.run(&fanout_cancel)?);
        let threads = vec![thread::Builder::new().name("fanout".to_owned()).spawn(run)?];
        Ok((Self { port: number, link, cancel, threads, _reach: reach }, said))
    }

    pub fn stop(self) -> anyhow::Result<()> {
        self.cancel.cancel();
        for thread in self.threads {
            thread.join().ok().context("a thread panicked")??;
        }
        Ok(())
    }
}

impl Lens {
    /// Gives a picture as if it were captured now. False: the fan-out is too late for it, as a camera would find.
    pub fn show(&self, picture: &Picture) -> bool {
        self.units.try_send(picture.captured(self.began)).is_ok()
    }
}

impl Picture {
    /// A picture as the encoder makes it: two slices, together so many bytes long, which say nothing.
    pub fn of_size(bytes: usize, keyframe: bool) -> Self {
        let mut data = Vec::with_capacity(bytes);
        for _ in 0..SLICES {
            data.extend_from_slice(&[0, 0, 0, 1, if keyframe { 0x65 } else { 0x41 }]);
            data.extend((5..bytes / SLICES).map(|byte| (byte % 251 + 1) as u8));
        }
        Self { data: data.into(), keyframe }
    }

    fn captured(&self, began: Instant) -> AccessUnit {
        let since_1970 = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let ntp = NtpTime(UNIX_TO_NTP << 32).after(since_1970);
        let instant = now();
        let captured = Moment { media: instant.saturating_duration_since(began), instant, ntp };
        AccessUnit { data: self.data.clone(), keyframe: self.keyframe, captured }
    }
}

/// A picture, cut into packets.
pub struct Packets(Arc<Frame>);

impl Packets {
    pub fn of(picture: &Picture) -> Self {
        Self(Arc::new(BEST.packetise(&picture.captured(now()), PacketSize::on_wire(WIRE))))
    }

    pub fn payloads(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.0.packets()).map(|index| self.0.payload(index).data)
    }
}

/// The last pictures' packets, as viewers share them.
pub struct Shelf {
    ring: Ring,
    now: Instant,
}

impl Default for Shelf {
    fn default() -> Self {
        Self { ring: Ring::default(), now: now() }
    }
}

impl Shelf {
    /// Adds a picture, the given time after the one before.
    pub fn push(&mut self, packets: Packets, after: Duration) {
        self.now += after;
        self.ring.push(packets.0, self.now);
    }

    /// The packet with that number, counted from the first that was ever added, as a retransmission finds it.
    pub fn packet(&self, number: u64) -> Option<&[u8]> {
        let (frame, index) = self.ring.packet(PacketNumber::default().plus(number))?;
        Some(frame.payload(index).data)
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
