// Generated from protocol/src by `UPDATE_TYPES=1 cargo test -p protocol`. Do not edit.

export const PROTOCOL_VERSION = 1;

export const ATTITUDE_STREAM = 0;

export type RobotId = string;

export type CameraId = string;

export type PeerId = string;

export type SessionId = string;

export type LinkId = string;

export type RobotKey = string;

export type Sdp = string;

export type DescriptionKind = "offer" | "answer";

export type Description = { type: DescriptionKind, sdp: Sdp, };

export type Candidate = { candidate: string, sdpMid?: string, sdpMLineIndex?: number, usernameFragment?: string, };

export type Yes = true;

export type Code = "unknown_robot" | "unknown_camera" | "robot_offline" | "unauthorized" | "token_expired" | "token_revoked" | "full" | "crowded" | "rate_limited" | "too_large" | "malformed" | "version" | "sent_away" | "replaced" | "unsupported" | "connection_failed" | "camera_lost" | "draining";

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

export type CubeFace = "front" | "right" | "back" | "left" | "up" | "down";

export type Turn = 0 | 90 | 180 | 270;

export type CubeCell = { face: CubeFace, turn: Turn, };

export type CubeLayout = { columns: number, 
/**
 * What each row is kept from the picture's sides, and from what is above and below it, as shares of the picture's width
 * and height; without it, nothing.
 */
padding?: [Real, Real], cells: [CubeCell, CubeCell, CubeCell, CubeCell, CubeCell, CubeCell], };

export type Projection = { "kind": "flat" } | { "kind": "equirectangular", 
/**
 * How many degrees the picture covers from side to side and from top to bottom; without it, 360 and 180.
 */
coverage?: [Real, Real], } | { "kind": "fisheye", lens: Lens, } | { "kind": "dual_fisheye", lenses: [Lens, Lens], 
/**
 * Over how many degrees one lens's picture becomes the other's, where both see.
 */
blend: Real, } | { "kind": "cube_map", layout: CubeLayout, } | { "kind": "equiangular", layout: CubeLayout, };

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
 * It leans with the robot, which says how to viewers that ask for it.
 */
leans?: boolean, 
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

export type MediaToken = string;

export type Media = "p2p" | { "livekit": { url: string, token: MediaToken, } } | "whep";

export type MediaKind = "livekit" | "whep" | "other";

export type VideoCodec = "h264" | "vp8" | "other";

export type Want = { 
/**
 * The place in [`Video::rungs`]. Absent: whatever the path carries.
 */
rung?: number, 
/**
 * Of what the path carries, nothing better than this place: a small picture has no room for it. Absent: the best.
 */
best?: number, };

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
restart?: boolean, 
/**
 * How the robot leans, where it says so, by a data channel of the connection.
 */
attitude?: boolean, 
/**
 * The viewer makes the offer, which follows, and the robot answers: players that speak WHEP do.
 */
offers?: boolean, };

export type Hello = { version?: number, 
/**
 * That of the link which the viewer opened.
 */
token?: string, };

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
 * What else this viewer can have the picture by than a connection to the robot. Absent: whatever there is.
 */
takes?: Array<MediaKind>, 
/**
 * What this viewer watches goes on until it says `arrived` of what it asks for.
 */
beside?: boolean, 
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
restart?: boolean, 
/**
 * How the robot leans, where it says so, by a data channel of the connection.
 */
attitude?: boolean, 
/**
 * The viewer makes the offer, which follows, and the robot answers: players that speak WHEP do.
 */
offers?: boolean, };

export type Admission = { ok: Yes, session: SessionId, robot: RobotId, camera: CameraId, 
/**
 * The robot's signalling connection, which answers and candidates are addressed to.
 */
peer: PeerId, 
/**
 * Whether the session in [`Watch::resume`] goes on; otherwise an offer for a new one follows.
 */
resumed: boolean, ice_servers: Array<IceServer>, video: Video, media: Media, 
/**
 * Seconds between the reports that the server wants; absent: none.
 */
report_every?: number, };

export type WatchReply = Admission | { error: Notice, };

export type Register = { version?: number, 
/**
 * Absent: the server's default robot.
 */
robot?: RobotId, 
/**
 * What proves it, where the server wants proof.
 */
key?: RobotKey, 
/**
 * Absent: one camera of which nothing is known.
 */
cameras: Array<CameraInfo>, 
/**
 * Sessions whose media still flows from before this connection.
 */
sessions: Array<SessionId>, 
/**
 * By which link the viewers of these came, if by one: it may have been taken back meanwhile.
 */
links?: { [key in SessionId]: LinkId }, 
/**
 * Cameras whose pictures still reach the server's media server from before this connection.
 */
published?: Array<CameraId>, };

export type Sfu = { 
/**
 * Of how many of a camera's qualities it makes use.
 */
qualities: number, 
/**
 * It passes on what is said beside the pictures, in LiveKit's data packets.
 */
data?: boolean, 
/**
 * It wants each quality as a track of its own, and viewers choose among those; otherwise it chooses for them.
 */
apart?: boolean, };

export type Registration = { ok: Yes, robot: RobotId, ice_servers: Array<IceServer>, 
/**
 * Seconds between the reports that the server wants; absent: none.
 */
report_every?: number, 
/**
 * A media server that this robot's pictures may be published to; absent: there is none.
 */
sfu?: Sfu, };

export type RegisterReply = Registration | { error: Notice, };

export type Ticket = { session: SessionId, camera: CameraId, 
/**
 * The session is one that the robot named in [`Register::sessions`] or still serves: no new offer is wanted.
 */
resumed: boolean, 
/**
 * Seconds from now after which the session is to end, whether or not the server is there to say so.
 */
expires_in?: number, 
/**
 * The link that the viewer came by, to be named in [`Register::links`].
 */
link?: LinkId, 
/**
 * The viewer operates the robot, and comes before those who only watch.
 */
operates?: boolean, 
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
restart?: boolean, 
/**
 * How the robot leans, where it says so, by a data channel of the connection.
 */
attitude?: boolean, 
/**
 * The viewer makes the offer, which follows, and the robot answers: players that speak WHEP do.
 */
offers?: boolean, };

export type SessionRef = { session: SessionId, };

export type PublicationRef = { camera: CameraId, };

export type Crowd = { camera: CameraId, viewers: number, };

export type RobotRef = { robot: RobotId, };

export type LiveRobot = { robot: RobotId, cameras: Array<CameraInfo>, viewers: number, };

export type Attachment = Uint8Array;

export type SnapshotRequest = { request: number, camera: CameraId, };

export type SnapshotPiece = { request: number, last: boolean, };

export type SnapshotFailure = { request: number, notice: Notice, };

export type Bitrate = number;

export type Fps = number;

export type Millis = number;

export type Share = number;

export type Count = number;

export type Sent = { packets: Count, bytes: Count, 
/**
 * Packets that were sent once more, as they got lost.
 */
resent: Count, };

export type EncodingReport = { 
/**
 * The place in [`crate::Video::rungs`].
 */
rung: number, codec: VideoCodec, fps: Fps, bitrate: Bitrate, };

export type CameraReport = { id: CameraId, 
/**
 * It gives pictures.
 */
running: boolean, 
/**
 * Of what it gives, before any encoder.
 */
fps: Fps, 
/**
 * Encoded pictures and sounds that nobody got since the robot started, as it was behind.
 */
left_out: Count, 
/**
 * What is being encoded, as somebody watches it.
 */
encodings: Array<EncodingReport>, 
/**
 * Absent while nobody listens.
 */
sound?: Bitrate, };

export type RobotReport = { cameras: Array<CameraReport>, sent: Sent, };

export type ViewerReport = { session: SessionId, 
/**
 * The place in [`crate::Video::rungs`]; absent while it is sent no picture.
 */
rung?: number, 
/**
 * All that it is sent, headers and repetitions included.
 */
bitrate: Bitrate, 
/**
 * Lately.
 */
loss: Share, round_trip?: Millis, };

export type AudienceReport = { viewers: Array<ViewerReport>, };

export type Reception = { fps: Fps, bitrate: Bitrate, 
/**
 * From capture to screen; absent when the viewer cannot know.
 */
delay?: Millis, 
/**
 * Since the session began.
 */
freezes: Count, 
/**
 * Whether a TURN server passes it on.
 */
relayed: boolean, };

export type CameraOverview = { id: CameraId, title?: string, 
/**
 * Absent without a report of late.
 */
report?: CameraReport, };

export type ViewerSent = { rung?: number, bitrate: Bitrate, loss: Share, round_trip?: Millis, };

export type ViewerShown = { fps: Fps, bitrate: Bitrate, delay?: Millis, freezes: Count, relayed: boolean, };

export type ViewerOverview = { 
/**
 * The beginning of its session's id, enough to tell it from others. Whoever knows the whole can take it over.
 */
session: string, camera: CameraId, since: number, 
/**
 * As its robot says; absent without a report of late.
 */
sent?: ViewerSent, 
/**
 * As it says itself; absent without a report of late: it may be a hidden tab, or of another make.
 */
shown?: ViewerShown, };

export type RobotSample = { at: number, viewers: number, 
/**
 * Of its slowest camera.
 */
fps?: Fps, 
/**
 * To all viewers together.
 */
bitrate?: Bitrate, 
/**
 * The mean of its viewers, as are those that follow.
 */
loss?: Share, round_trip?: Millis, delay?: Millis, };

export type RobotOverview = { robot: RobotId, since: number, 
/**
 * As it announced them.
 */
cameras: Array<CameraOverview>, 
/**
 * What it sent since it started; absent without a report of late.
 */
sent?: Sent, 
/**
 * In the order of their coming.
 */
viewers: Array<ViewerOverview>, 
/**
 * Oldest first, for the last minutes.
 */
history: Array<RobotSample>, };

export type ServerSample = { at: number, robots: number, viewers: number, 
/**
 * Since the sample before.
 */
joined: number, refused: number, };

export type EventKind = "turned_away" | "robot_up" | "robot_down" | "robot_refused" | "joined" | "came_back" | "left" | "refused";

export type Event = { 
/**
 * For the last time, if several times.
 */
at: number, kind: EventKind, 
/**
 * More than one: the same, one after the other.
 */
times: number, robot?: RobotId, camera?: CameraId, 
/**
 * As in [`ViewerOverview::session`].
 */
session?: string, 
/**
 * Why it was refused.
 */
code?: Code, };

export type Overview = { at: number, 
/**
 * When the server began to count.
 */
since: number, 
/**
 * Seconds between reports; absent: the server wants none.
 */
report_every?: number, 
/**
 * Of robots and viewers, those that only wait included.
 */
connections: number, 
/**
 * Viewers of robots that are not here are counted, too: what they see may well go on.
 */
viewers: number, robots: Array<RobotOverview>, 
/**
 * Oldest first, for the last minutes.
 */
history: Array<ServerSample>, 
/**
 * Oldest first.
 */
events: Array<Event>, };

export type ToServer =
  | [event: "broadcaster", register?: Register | null]
  | [event: "watcher", watch?: Watch | null]
  | [event: "offer", to: PeerId, description?: Description | null, about?: SessionRef | null]
  | [event: "answer", to: PeerId, description?: Description | null, about?: SessionRef | null]
  | [event: "candidate", to: PeerId, candidate?: Candidate | null, about?: SessionRef | null]
  | [event: "notice", to: PeerId, notice: Notice, about?: SessionRef | null]
  | [event: "snapshot", piece: SnapshotPiece, jpeg: Attachment]
  | [event: "snapshotFailed", failure: SnapshotFailure]
  | [event: "report", report: RobotReport]
  | [event: "audience", audience: AudienceReport]
  | [event: "reception", reception: Reception, about?: SessionRef | null]
  | [event: "arrived", about: SessionRef]
  | [event: "publish", camera: PublicationRef, description: Description]
  | [event: "published", camera: PublicationRef]
  | [event: "recall", camera: PublicationRef]
  | [event: "unpublish", camera: PublicationRef];

export type ToViewer =
  | [event: "broadcaster", about?: RobotRef | null]
  | [event: "offer", from: PeerId, description: Description, about?: SessionRef | null]
  | [event: "answer", from: PeerId, description: Description, about?: SessionRef | null]
  | [event: "candidate", from: PeerId, candidate: Candidate, about?: SessionRef | null]
  | [event: "broadcasterLeft", about?: RobotRef | null]
  | [event: "notice", notice: Notice, about?: SessionRef | null]
  | [event: "move", about: SessionRef];

export type ToRobot =
  | [event: "watcher", viewer: PeerId, ticket?: Ticket | null]
  | [event: "offer", from: PeerId, description: Description, about?: SessionRef | null]
  | [event: "answer", from: PeerId, description: Description, about?: SessionRef | null]
  | [event: "candidate", from: PeerId, candidate: Candidate, about?: SessionRef | null]
  | [event: "disconnectPeer", viewer: PeerId]
  | [event: "bye", viewer: PeerId]
  | [event: "sessionEnded", about: SessionRef]
  | [event: "notice", notice: Notice]
  | [event: "iceServers", servers: Array<IceServer>]
  | [event: "snapshot", request: SnapshotRequest]
  | [event: "publishing", camera: PublicationRef, description: Description]
  | [event: "notPublished", camera: PublicationRef, notice: Notice]
  | [event: "crowd", crowd: Crowd];
