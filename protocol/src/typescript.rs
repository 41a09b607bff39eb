//! Writes the page's types. `UPDATE_TYPES=1 cargo test -p protocol` brings the committed file up to date.

use std::{env, fs, path::Path};

use ts_rs::{Config, TS};

use crate::*;

/// A message enum, declared as a union of labelled tuples, as they are on the wire.
pub(crate) trait Declared {
    const NAME: &'static str;

    fn union(config: &Config) -> Vec<String>;
}

pub(crate) fn tuple(event: &str, arguments: &[(&str, String)]) -> String {
    // TypeScript wants required elements before optional ones; a null in the middle stays a null.
    let last_required = arguments.iter().rposition(|(_, kind)| !kind.ends_with(" | null"));
    let mut elements = format!("event: \"{event}\"");
    for (index, (name, kind)) in arguments.iter().enumerate() {
        let optional = if last_required.is_none_or(|last| index > last) { "?" } else { "" };
        elements.push_str(&format!(", {name}{optional}: {kind}"));
    }
    format!("[{elements}]")
}

fn generate() -> String {
    let config = Config::default();
    let mut out =
        String::from("// Generated from protocol/src by `UPDATE_TYPES=1 cargo test -p protocol`. Do not edit.\n");
    out.push_str(&format!("\nexport const PROTOCOL_VERSION = {VERSION};\n"));
    out.push_str(&format!("\nexport const ATTITUDE_STREAM = {ATTITUDE_STREAM};\n"));
    macro_rules! declare {
        ($($type:ty),* $(,)?) => {$(
            out.push_str(&format!("\nexport {}\n", <$type as TS>::decl(&config)));
        )*};
    }
    declare!(
        RobotId,
        CameraId,
        PeerId,
        SessionId,
        LinkId,
        RobotKey,
        Sdp,
        DescriptionKind,
        Description,
        Candidate,
        Yes,
        Code,
        Notice,
        Real,
        Rotation,
        Bend,
        Lens,
        CubeFace,
        Turn,
        CubeCell,
        CubeLayout,
        Projection,
        Rung,
        Video,
        CameraInfo,
        IceServer,
        MediaToken,
        Media,
        MediaKind,
        VideoCodec,
        Want,
        Wishes,
        Hello,
        Watch,
        Admission,
        WatchReply,
        Register,
        Sfu,
        Registration,
        RegisterReply,
        Ticket,
        SessionRef,
        PublicationRef,
        Crowd,
        RobotRef,
        LiveRobot,
        Attachment,
        SnapshotRequest,
        SnapshotPiece,
        SnapshotFailure,
        Bitrate,
        Fps,
        Millis,
        Share,
        Count,
        Sent,
        EncodingReport,
        CameraReport,
        RobotReport,
        ViewerReport,
        AudienceReport,
        Reception,
        CameraOverview,
        ViewerSent,
        ViewerShown,
        ViewerOverview,
        RobotSample,
        RobotOverview,
        ServerSample,
        EventKind,
        Event,
        Overview,
    );
    fn union<M: Declared>(config: &Config) -> String {
        let members: String = M::union(config).iter().map(|member| format!("\n  | {member}")).collect();
        format!("\nexport type {} ={members};\n", M::NAME)
    }
    out.push_str(&union::<ToServer>(&config));
    out.push_str(&union::<ToViewer>(&config));
    out.push_str(&union::<ToRobot>(&config));
    out
}

#[test]
fn the_pages_types_are_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web-viewer/src/protocol.gen.ts");
    let generated = generate();
    if env::var_os("UPDATE_TYPES").is_some() {
        fs::write(&path, &generated).expect("write the page's types");
    }
    let committed = fs::read_to_string(&path).expect("read the page's types");
    assert!(committed == generated, "stale: run UPDATE_TYPES=1 cargo test -p protocol and commit {}", path.display());
}
