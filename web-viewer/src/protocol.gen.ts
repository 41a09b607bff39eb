// Generated from protocol/src by `UPDATE_TYPES=1 cargo test -p protocol`. Do not edit.

export const PROTOCOL_VERSION = 1;

export type RobotId = string;

export type CameraId = string;

export type PeerId = string;

export type SessionId = string;

export type Sdp = string;

export type DescriptionKind = "offer" | "answer";

export type Description = { type: DescriptionKind, sdp: Sdp, };

export type Candidate = { candidate: string, sdpMid?: string, sdpMLineIndex?: number, usernameFragment?: string, };

export type Yes = true;

export type Code = "unknown_robot" | "unknown_camera" | "robot_offline" | "unauthorized" | "token_expired" | "token_revoked" | "full" | "rate_limited" | "too_large" | "malformed" | "version" | "replaced" | "unsupported" | "connection_failed" | "camera_lost" | "draining";

export type Notice = { code: Code, message: string, };

export type Real = number;

export type Rotation = { 
/**
 * To the right.
 */
yaw: Real, 
/**
 * Upward.
 */
pitch: Real, 
/**
 * Clockwise, as seen from behind.
 */
roll: Real, };

export type Bend = { "model": "kannala_brandt", k: [Real, Real, Real, Real], } | { "model": "mei", xi: Real, k: [Real, Real], p: [Real, Real], };

export type Lens = { 
/**
 * Where it looks, from the camera.
 */
rotation: Rotation, 
/**
 * Where it sees what lies on its axis.
 */
center: [Real, Real], 
/**
 * How far from there it would see what lies one radian off its axis, if it bent nothing.
 */
focal: [Real, Real], bend: Bend, 
/**
 * How many degrees it sees, from edge to edge.
 */
fov: Real, 
/**
 * By how much its picture is to be made brighter, as a factor.
 */
gain: Real, };

export type Projection = { "kind": "flat" } | { "kind": "equirectangular", 
/**
 * How many degrees the picture covers from side to side and from top to bottom; without it, 360 and 180.
 */
coverage?: [Real, Real], } | { "kind": "fisheye", lens: Lens, } | { "kind": "dual_fisheye", lenses: [Lens, Lens], 
/**
 * Over how many degrees one lens's picture becomes the other's, where both see.
 */
blend: Real, };

export type Rung = { width: number, height: number, fps: number, 
/**
 * Bits per second.
 */
bitrate: number, };

export type Video = { projection: Projection, 
/**
 * How the camera sits on the robot; only pictures in which one can look around have it.
 */
mount?: Rotation, 
/**
 * Best first; empty when the robot did not say.
 */
rungs: Array<Rung>, };

export type CameraInfo = { id: CameraId, 
/**
 * What people call it.
 */
title?: string, video: Video, };

export type IceServer = { urls: Array<string>, username?: string, credential?: string, };

export type Media = "p2p";

export type VideoCodec = "h264" | "vp8" | "other";

export type Want = { 
/**
 * The place in [`Video::rungs`]. Absent: whatever the path carries.
 */
rung?: number, };

export type Wishes = { 
/**
 * The codecs that the viewer can decode. Empty: what its answer to the offer says.
 */
codecs?: Array<VideoCodec>, 
/**
 * Absent: whatever the path carries.
 */
want?: Want, 
/**
 * With a session that is resumed: its path broke or changed, and another is to be found (an ICE restart).
 */
restart?: boolean, };

export type Watch = { version?: number, 
/**
 * Absent: the server's default robot.
 */
robot?: RobotId, 
/**
 * Absent: the robot's first camera.
 */
camera?: CameraId, 
/**
 * A session whose media this viewer still receives, to be bound to its new connection.
 */
resume?: SessionId, 
/**
 * The codecs that the viewer can decode. Empty: what its answer to the offer says.
 */
codecs?: Array<VideoCodec>, 
/**
 * Absent: whatever the path carries.
 */
want?: Want, 
/**
 * With a session that is resumed: its path broke or changed, and another is to be found (an ICE restart).
 */
restart?: boolean, };

export type Admission = { ok: Yes, session: SessionId, robot: RobotId, camera: CameraId, 
/**
 * The robot's signalling connection, which answers and candidates are addressed to.
 */
peer: PeerId, 
/**
 * Whether the session in [`Watch::resume`] goes on; otherwise an offer for a new one follows.
 */
resumed: boolean, ice_servers: Array<IceServer>, video: Video, media: Media, };

export type WatchReply = Admission | { error: Notice, };

export type Register = { version?: number, 
/**
 * Absent: the server's default robot.
 */
robot?: RobotId, 
/**
 * Absent: one camera of which nothing is known.
 */
cameras: Array<CameraInfo>, 
/**
 * Sessions whose media still flows from before this connection.
 */
sessions: Array<SessionId>, };

export type Registration = { ok: Yes, robot: RobotId, ice_servers: Array<IceServer>, };

export type RegisterReply = Registration | { error: Notice, };

export type Ticket = { session: SessionId, camera: CameraId, 
/**
 * The session is one that the robot named in [`Register::sessions`] or still serves: no new offer is wanted.
 */
resumed: boolean, 
/**
 * The codecs that the viewer can decode. Empty: what its answer to the offer says.
 */
codecs?: Array<VideoCodec>, 
/**
 * Absent: whatever the path carries.
 */
want?: Want, 
/**
 * With a session that is resumed: its path broke or changed, and another is to be found (an ICE restart).
 */
restart?: boolean, };

export type SessionRef = { session: SessionId, };

export type RobotRef = { robot: RobotId, };

export type LiveRobot = { robot: RobotId, cameras: Array<CameraInfo>, viewers: number, };

export type Attachment = Uint8Array;

export type SnapshotRequest = { request: number, camera: CameraId, };

export type SnapshotPiece = { request: number, last: boolean, };

export type SnapshotFailure = { request: number, notice: Notice, };

export type ToServer =
  | [event: "broadcaster", register?: Register | null]
  | [event: "watcher", watch?: Watch | null]
  | [event: "offer", to: PeerId, description?: Description | null, about?: SessionRef | null]
  | [event: "answer", to: PeerId, description?: Description | null, about?: SessionRef | null]
  | [event: "candidate", to: PeerId, candidate?: Candidate | null, about?: SessionRef | null]
  | [event: "notice", to: PeerId, notice: Notice, about?: SessionRef | null]
  | [event: "snapshot", piece: SnapshotPiece, jpeg: Attachment]
  | [event: "snapshotFailed", failure: SnapshotFailure];

export type ToViewer =
  | [event: "broadcaster", about?: RobotRef | null]
  | [event: "offer", from: PeerId, description: Description, about?: SessionRef | null]
  | [event: "candidate", from: PeerId, candidate: Candidate, about?: SessionRef | null]
  | [event: "broadcasterLeft", about?: RobotRef | null]
  | [event: "notice", notice: Notice, about?: SessionRef | null];

export type ToRobot =
  | [event: "watcher", viewer: PeerId, ticket?: Ticket | null]
  | [event: "answer", from: PeerId, description: Description, about?: SessionRef | null]
  | [event: "candidate", from: PeerId, candidate: Candidate, about?: SessionRef | null]
  | [event: "disconnectPeer", viewer: PeerId]
  | [event: "bye", viewer: PeerId]
  | [event: "notice", notice: Notice]
  | [event: "snapshot", request: SnapshotRequest];
