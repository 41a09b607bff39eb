/**
 * What comes from outside is checked here once; inside, the protocol's types hold.
 *
 * Unknown fields are ignored, so that a newer server can talk to an older page; a value of the wrong shape is refused whole.
 */
import type {
  Admission,
  Bend,
  CameraInfo,
  Candidate,
  Code,
  CubeCell,
  CubeFace,
  CubeLayout,
  Description,
  IceServer,
  Lens,
  LiveRobot,
  Media,
  Notice,
  Projection,
  RobotRef,
  Rotation,
  Rung,
  SessionRef,
  ToViewer,
  Video,
  WatchReply,
} from "./protocol.gen";

type Guard<T> = (value: unknown) => value is T;

/** Every code of the protocol: the compiler notices one that is missing or too many. */
export const CODES: Record<Code, true> = {
  unknown_robot: true,
  robot_offline: true,
  unauthorized: true,
  token_expired: true,
  token_revoked: true,
  full: true,
  crowded: true,
  sent_away: true,
  rate_limited: true,
  too_large: true,
  malformed: true,
  version: true,
  replaced: true,
  unknown_camera: true,
  unsupported: true,
  connection_failed: true,
  camera_lost: true,
  draining: true,
};

const FACES: Record<CubeFace, true> = { front: true, right: true, back: true, left: true, up: true, down: true };

/** The event in the protocol's form, or nothing when it is none that a viewer knows. */
export function decodeToViewer(event: string, args: readonly unknown[]): ToViewer | undefined {
  const [first, second, third] = args;
  switch (event) {
    case "broadcaster":
    case "broadcasterLeft":
      return isAbsent(first) ? [event] : isRobotRef(first) ? [event, first] : undefined;
    case "offer":
    case "answer":
      if (!isString(first) || !isDescription(second)) return undefined;
      return isAbsent(third) ? [event, first, second] : isSessionRef(third) ? [event, first, second, third] : undefined;
    case "candidate":
      if (!isString(first) || !isCandidate(second)) return undefined;
      return isAbsent(third) ? [event, first, second] : isSessionRef(third) ? [event, first, second, third] : undefined;
    case "notice":
      if (!isNotice(first)) return undefined;
      return isAbsent(second) ? [event, first] : isSessionRef(second) ? [event, first, second] : undefined;
    case "move":
      return isSessionRef(first) ? [event, first] : undefined;
    default:
      return undefined;
  }
}

export function decodeWatchReply(value: unknown): WatchReply | undefined {
  if (isAdmission(value)) return value;
  return isRecord(value) && isNotice(value["error"]) ? { error: value["error"] } : undefined;
}

export function decodeLiveRobots(value: unknown): LiveRobot[] | undefined {
  return isListOf(isLiveRobot)(value) ? value : undefined;
}

export function isCode(value: unknown): value is Code {
  return isOneOf(CODES)(value);
}

export function isNotice(value: unknown): value is Notice {
  return isRecord(value) && isOneOf(CODES)(value["code"]) && isString(value["message"]);
}

function isAdmission(value: unknown): value is Admission {
  return (
    isRecord(value) &&
    value["ok"] === true &&
    isString(value["session"]) &&
    isString(value["robot"]) &&
    isString(value["camera"]) &&
    isString(value["peer"]) &&
    typeof value["resumed"] === "boolean" &&
    isListOf(isIceServer)(value["ice_servers"]) &&
    isVideo(value["video"]) &&
    isMedia(value["media"]) &&
    isOptional(isNumber, value["report_every"])
  );
}

function isMedia(value: unknown): value is Media {
  if (value === "p2p" || value === "whep") return true;
  if (!isRecord(value) || !isRecord(value["livekit"])) return false;
  return isString(value["livekit"]["url"]) && isString(value["livekit"]["token"]);
}

function isLiveRobot(value: unknown): value is LiveRobot {
  return (
    isRecord(value) &&
    isString(value["robot"]) &&
    isListOf(isCameraInfo)(value["cameras"]) &&
    isNumber(value["viewers"])
  );
}

function isCameraInfo(value: unknown): value is CameraInfo {
  return isRecord(value) && isString(value["id"]) && isOptional(isString, value["title"]) && isVideo(value["video"]);
}

function isVideo(value: unknown): value is Video {
  return (
    isRecord(value) &&
    isProjection(value["projection"]) &&
    isOptional(isRotation, value["mount"]) &&
    isOptional(isBoolean, value["leans"]) &&
    isListOf(isRung)(value["rungs"])
  );
}

function isProjection(value: unknown): value is Projection {
  if (!isRecord(value)) return false;
  switch (value["kind"]) {
    case "flat":
      return true;
    case "equirectangular":
      return isOptional(isNumbers(2), value["coverage"]);
    case "fisheye":
      return isLens(value["lens"]);
    case "dual_fisheye":
      return isListOf(isLens)(value["lenses"]) && value["lenses"].length === 2 && isNumber(value["blend"]);
    case "cube_map":
    case "equiangular":
      return isCubeLayout(value["layout"]);
    default:
      // Of a later version: its picture is shown as it comes.
      return isString(value["kind"]);
  }
}

function isCubeLayout(value: unknown): value is CubeLayout {
  return (
    isRecord(value) &&
    [1, 2, 3, 6].some((columns) => columns === value["columns"]) &&
    isOptional(isNumbers(2), value["padding"]) &&
    isListOf(isCubeCell)(value["cells"]) &&
    value["cells"].length === 6
  );
}

function isCubeCell(value: unknown): value is CubeCell {
  return isRecord(value) && isOneOf(FACES)(value["face"]) && [0, 90, 180, 270].some((turn) => turn === value["turn"]);
}

function isLens(value: unknown): value is Lens {
  return (
    isRecord(value) &&
    isRotation(value["rotation"]) &&
    isNumbers(2)(value["center"]) &&
    isNumbers(2)(value["focal"]) &&
    isBend(value["bend"]) &&
    isNumber(value["fov"]) &&
    isNumber(value["gain"])
  );
}

function isBend(value: unknown): value is Bend {
  if (!isRecord(value)) return false;
  switch (value["model"]) {
    case "kannala_brandt":
      return isNumbers(4)(value["k"]);
    case "mei":
      return isNumber(value["xi"]) && isNumbers(2)(value["k"]) && isNumbers(2)(value["p"]);
    default:
      return false;
  }
}

function isRotation(value: unknown): value is Rotation {
  return isRecord(value) && ["yaw", "pitch", "roll"].every((key) => isNumber(value[key]));
}

function isRung(value: unknown): value is Rung {
  return isRecord(value) && ["width", "height", "fps", "bitrate"].every((key) => isNumber(value[key]));
}

function isIceServer(value: unknown): value is IceServer {
  return (
    isRecord(value) &&
    isListOf(isString)(value["urls"]) &&
    isOptional(isString, value["username"]) &&
    isOptional(isString, value["credential"])
  );
}

function isDescription(value: unknown): value is Description {
  return isRecord(value) && (value["type"] === "offer" || value["type"] === "answer") && isString(value["sdp"]);
}

/** Browsers send null for what they do not know; `RTCIceCandidateInit` takes it back as it is. */
function isCandidate(value: unknown): value is Candidate {
  return (
    isRecord(value) &&
    isString(value["candidate"]) &&
    (isAbsent(value["sdpMid"]) || isString(value["sdpMid"])) &&
    (isAbsent(value["sdpMLineIndex"]) || isNumber(value["sdpMLineIndex"])) &&
    (isAbsent(value["usernameFragment"]) || isString(value["usernameFragment"]))
  );
}

function isSessionRef(value: unknown): value is SessionRef {
  return isRecord(value) && isString(value["session"]);
}

function isRobotRef(value: unknown): value is RobotRef {
  return isRecord(value) && isString(value["robot"]);
}

function isListOf<T>(is: Guard<T>): Guard<T[]> {
  return (value): value is T[] => Array.isArray(value) && value.every(is);
}

function isNumbers(count: number): Guard<number[]> {
  return (value): value is number[] => isListOf(isNumber)(value) && value.length === count;
}

function isOneOf<T extends string>(all: Record<T, true>): Guard<T> {
  return (value): value is T => isString(value) && Object.hasOwn(all, value);
}

function isOptional<T>(is: Guard<T>, value: unknown): value is T | undefined {
  return value === undefined || is(value);
}

function isAbsent(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === "boolean";
}

function isString(value: unknown): value is string {
  return typeof value === "string";
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
