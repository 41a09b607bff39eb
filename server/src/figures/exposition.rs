//! What `/metrics` shows. `docs/metrics.md` explains each of them.
//!
//! Viewers have no series of their own, only robots do, and of these only so many: whoever collects keeps every label.

use std::collections::BTreeMap;

use protocol::{CameraReport, Count, Sent, VideoCodec};

use super::{Figures, Moment, crowd::Crowd, crowds, robot::Robot};
use crate::metrics::{Kind, Text};

use Kind::{Counter, Gauge};

/// A robot that is shown by its name, and its viewers.
struct Shown<'a> {
    id: &'a str,
    robot: &'a Robot,
    cameras: &'a [CameraReport],
    crowd: Crowd,
}

impl Figures {
    pub(crate) fn write_metrics(&self, text: &mut Text, connections: usize, now: Moment) {
        self.write_server(text, connections);
        let mut crowds = crowds(&self.viewers, self.within(), now);
        let named = self.robots.iter().filter(|(_, robot)| robot.is_named);
        let shown: Vec<Shown<'_>> = named
            .map(|(id, robot)| Shown {
                id: id.as_str(),
                robot,
                cameras: robot.report(self.within(), now).map_or(&[][..], |report| &report.cameras[..]),
                crowd: crowds.remove(id).unwrap_or_default(),
            })
            .collect();
        self.write_robots(text, &shown, now);
        write_cameras(text, &shown);
        write_viewers(text, &shown);
    }

    fn write_server(&self, text: &mut Text, connections: usize) {
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        text.family("panocast_build_info", Gauge, "The server's version.").count(&version, 1);
        let started = self.since.unix as f64 / 1000.0;
        text.family("panocast_start_time_seconds", Gauge, "When the server started, since 1970.").sample(&[], started);
        let mut count = |name, kind, help, count: u64| text.family(name, kind, help).count(&[], count);
        count("panocast_connections", Gauge, "Socket.IO connections of robots and viewers.", connections as u64);
        count("panocast_robots", Gauge, "Live robots.", self.robots.len() as u64);
        count("panocast_viewers", Gauge, "Viewers that have a session.", self.viewers.len() as u64);
        let totals = &self.totals;
        count("panocast_registrations_total", Counter, "Robots that were taken.", totals.registrations);
        count("panocast_joins_total", Counter, "Viewers that were given a session.", totals.joins);
        count("panocast_returns_total", Counter, "Viewers that came back to their session.", totals.returns);
        count("panocast_leaves_total", Counter, "Sessions that ended.", totals.leaves);
        count("panocast_freezes_total", Counter, "Freezes of the picture, as viewers report.", totals.freezes);
        let help = "Connections, robots and viewers that were refused, and messages that were not taken, by the code.";
        let mut family = text.family("panocast_refusals_total", Counter, help);
        let all = [
            ("connection", &totals.connections_refused),
            ("robot", &totals.robots_refused),
            ("viewer", &totals.viewers_refused),
            ("message", &totals.messages_refused),
        ];
        for (what, codes) in all {
            for (code, count) in codes {
                let code = code.to_string();
                family.count(&[("what", what), ("code", code.as_str())], *count);
            }
        }
        let help = "From a viewer's question to the robot's offer.";
        text.family("panocast_join_seconds", Kind::Histogram, help).histogram(&[], &self.joining);
    }

    fn write_robots(&self, text: &mut Text, shown: &[Shown<'_>], now: Moment) {
        let reports: BTreeMap<&str, _> =
            shown.iter().filter_map(|shown| Some((shown.id, shown.robot.report(self.within(), now)?.sent))).collect();
        let mut sent = |name, help, of: fn(&Sent) -> Count| {
            let mut family = text.family(name, Counter, help);
            for (robot, sent) in &reports {
                family.count(&[("robot", *robot)], of(sent).get());
            }
        };
        sent("panocast_robot_sent_bytes_total", "Sent to all viewers, as the robot reports.", |sent| sent.bytes);
        sent("panocast_robot_sent_packets_total", "Packets to all viewers, as the robot reports.", |sent| sent.packets);
        sent("panocast_robot_resent_packets_total", "Packets that viewers missed and got again.", |sent| sent.resent);
        let unnamed = self.robots.len() - shown.len();
        let help = "Live robots beyond the 1000 names that are shown since the server started.";
        text.family("panocast_robots_unnamed", Gauge, help).count(&[], unnamed as u64);
    }
}

fn write_cameras(text: &mut Text, shown: &[Shown<'_>]) {
    let cameras = || shown.iter().flat_map(|robot| robot.cameras.iter().map(|camera| (robot.id, camera)));
    let mut family = text.family("panocast_camera_running", Gauge, "Whether the camera gives pictures: 1 or 0.");
    for (robot, camera) in cameras() {
        family.count(&[("robot", robot), ("camera", camera.id.as_str())], camera.running.into());
    }
    let help = "Pictures that the camera gives.";
    let mut family = text.family("panocast_camera_frames_per_second", Gauge, help);
    for (robot, camera) in cameras() {
        family.sample(&[("robot", robot), ("camera", camera.id.as_str())], camera.fps.get());
    }
    let help = "Encoded pictures and sounds that nobody got, as the robot was behind.";
    let mut family = text.family("panocast_camera_dropped_frames_total", Counter, help);
    for (robot, camera) in cameras() {
        family.count(&[("robot", robot), ("camera", camera.id.as_str())], camera.left_out.get());
    }
    let encodings = || {
        cameras().flat_map(|(robot, camera)| {
            let place = |rung: u8| rung.to_string();
            camera.encodings.iter().map(move |encoding| (robot, camera.id.as_str(), place(encoding.rung), encoding))
        })
    };
    let help = "Pictures that are encoded, of each quality that somebody watches.";
    let mut family = text.family("panocast_encoding_frames_per_second", Gauge, help);
    for (robot, camera, rung, encoding) in encodings() {
        let labels = [("robot", robot), ("camera", camera), ("rung", rung.as_str()), ("codec", codec(encoding.codec))];
        family.sample(&labels, encoding.fps.get());
    }
    let help = "What the encoder makes, of each quality that somebody watches.";
    let mut family = text.family("panocast_encoding_bytes_per_second", Gauge, help);
    for (robot, camera, rung, encoding) in encodings() {
        let labels = [("robot", robot), ("camera", camera), ("rung", rung.as_str()), ("codec", codec(encoding.codec))];
        family.sample(&labels, encoding.bitrate.get() / 8.0);
    }
}

fn write_viewers(text: &mut Text, shown: &[Shown<'_>]) {
    let mut family = text.family("panocast_camera_viewers", Gauge, "Viewers of each camera.");
    for robot in shown {
        for camera in &robot.robot.cameras {
            let viewers = robot.crowd.cameras.get(&camera.id).copied().unwrap_or_default();
            family.count(&[("robot", robot.id), ("camera", camera.id.as_str())], viewers.into());
        }
    }
    let mut gauge = |name, help, of: fn(&Crowd) -> Option<f64>| {
        let mut family = text.family(name, Gauge, help);
        for Shown { id, crowd, .. } in shown {
            if let Some(value) = of(crowd) {
                family.sample(&[("robot", id)], value);
            }
        }
    };
    gauge("panocast_robot_sent_bytes_per_second", "To all viewers together, as the robot reports.", |crowd| {
        crowd.bitrate.sum().map(|bits| bits / 8.0)
    });
    gauge("panocast_robot_mean_loss_ratio", "Packets that get lost, the mean of the viewers.", |crowd| {
        crowd.loss.mean()
    });
    gauge("panocast_robot_max_loss_ratio", "Packets that get lost, of the viewer that loses most.", |crowd| {
        crowd.loss.most()
    });
    gauge("panocast_robot_mean_round_trip_seconds", "Robot to viewer and back, the mean of the viewers.", |crowd| {
        crowd.round_trip.mean().map(|millis| millis / 1000.0)
    });
    gauge("panocast_robot_max_round_trip_seconds", "Robot to viewer and back, of the farthest viewer.", |crowd| {
        crowd.round_trip.most().map(|millis| millis / 1000.0)
    });
    gauge("panocast_robot_mean_shown_frames_per_second", "Pictures on screens, the mean of the viewers.", |crowd| {
        crowd.fps.mean()
    });
    gauge("panocast_robot_relayed_viewers", "Viewers that say that a TURN server passes their video on.", |crowd| {
        Some(crowd.relayed.into())
    });
    let help = "From capture to screen, as viewers report.";
    let mut family = text.family("panocast_viewer_delay_seconds", Kind::Histogram, help);
    for Shown { id, robot, .. } in shown {
        family.histogram(&[("robot", id)], &robot.delay);
    }
}

fn codec(codec: VideoCodec) -> &'static str {
    match codec {
        VideoCodec::H264 => "h264",
        VideoCodec::Vp8 => "vp8",
        VideoCodec::Other => "other",
    }
}
