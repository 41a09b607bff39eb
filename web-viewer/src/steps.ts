/** What the session is told, what it asks for, and what the person sees of it. */
import type { Counters } from "./liveness";
import type {
  Admission,
  CameraId,
  Candidate,
  Description,
  MediaKind,
  Notice,
  Reception,
  RobotId,
  ToServer,
  ToViewer,
  VideoCodec,
  Want,
  Watch,
  WatchReply,
} from "./protocol.gen";
import type { Millis } from "./retry";

/** Numbers the peer connections of this page, so that a late word from a closed one is known as such. */
export type ConnectionId = number;

/** What this page was opened for; absent means what the server or the robot has by default. */
export interface Target {
  robot?: RobotId;
  camera?: CameraId;
}

/** What the session may ask of its surroundings. */
export interface Surroundings {
  /** Between 0 and 1. */
  random?: () => number;
  /** What can be decoded; nothing when unknown. */
  codecs?: () => VideoCodec[];
  /** Whether it is worth to hear how the robot leans. */
  attitude?: boolean;
  /** What else than a connection to the robot pictures can come by. */
  takes?: MediaKind[];
}

/** What a peer connection and its picture have to tell. */
export type PeerInput =
  | { type: "answer"; connection: ConnectionId; description: Description }
  /** This side offers, to a media server. */
  | { type: "offer"; connection: ConnectionId; description: Description }
  | { type: "candidate"; connection: ConnectionId; candidate: Candidate }
  | { type: "peer"; connection: ConnectionId; state: RTCPeerConnectionState }
  /** `late`: how long its pictures take to the screen, where that is known. */
  | { type: "sample"; connection: ConnectionId; counters: Counters; late?: Millis }
  | { type: "frame"; connection: ConnectionId }
  /** What was made beside another has pictures to show. */
  | { type: "ready"; connection: ConnectionId }
  /** How the picture comes, for the server. */
  | { type: "reception"; connection: ConnectionId; reception: Reception };

export type Input =
  | PeerInput
  | { type: "link"; up: boolean }
  | { type: "turnedAway"; notice: Notice }
  | { type: "reply"; ask: number; reply: WatchReply | undefined }
  | { type: "message"; message: ToViewer }
  | { type: "visible"; visible: boolean }
  | { type: "target"; target: Target }
  | { type: "networkChanged" }
  /** The quality that was chosen, and the best that there is room for: places of rungs. Neither is Auto. */
  | ({ type: "want" } & Want)
  | { type: "retry" }
  | { type: "tick" };

export type Output =
  | { type: "watch"; ask: number; watch: Watch }
  | { type: "send"; message: ToServer }
  | { type: "admitted"; admission: Admission }
  | {
      type: "connect";
      connection: ConnectionId;
      admission: Admission;
      description: Description;
      /** What is shown stays until this one is ready. */
      beside: boolean;
    }
  /** By a media server, as the admission says. */
  | { type: "join"; connection: ConnectionId; admission: Admission; beside: boolean }
  /** The media server's answer. */
  | { type: "answered"; connection: ConnectionId; description: Description }
  /** It is ready: what was shown before is closed next. */
  | { type: "show"; connection: ConnectionId }
  /** Another offer for a connection that lives: it is to be answered on the same. */
  | { type: "renegotiate"; connection: ConnectionId; description: Description }
  | { type: "addCandidate"; connection: ConnectionId; candidate: Candidate }
  | { type: "reattach" }
  | { type: "close"; connection: ConnectionId };

export type View =
  | { kind: "connecting" }
  | { kind: "live" }
  /** It moves, and shows what was so long ago. */
  | { kind: "late"; seconds: number }
  | { kind: "stalled"; seconds: number }
  | { kind: "reconnecting" }
  /** The session goes on, without pictures. */
  | { kind: "cameraLost" }
  | { kind: "waiting"; notice: Notice }
  | { kind: "refused"; notice: Notice; final: boolean }
  | { kind: "failed"; link: boolean };
