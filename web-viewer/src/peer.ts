/** What is known of the one peer connection that is in use: whose it is, and whether it is worth keeping. Pure. */
import { Liveness, type Counters, type Verdict } from "./liveness";
import { Path } from "./path";
import type { Admission, PeerId, SessionId, Video } from "./protocol.gen";
import type { Millis } from "./retry";
import type { ConnectionId } from "./steps";

const STALLED_AFTER: Millis = 1000;
/** Nobody sees the frames of a hidden page. Those that it counts stand for them, once a second or a little less often. */
const STALLED_UNSEEN: Millis = 3000;
/** Another camera is there within this; a word about it would only flicker. */
const SUPERSEDES_WITHIN: Millis = 1000;
/** The notice of a lost camera comes by way of the server, and may overtake the last of its pictures by this much. */
const LAST_PICTURES: Millis = 1500;

/** What takes longer to begin beside a picture that moves does not begin. */
const READY_WITHIN: Millis = 8000;

/** Nobody steers by what was so long ago; and between the two it stays what it was. */
const [LATE, LATE_NO_MORE]: [Millis, Millis] = [2000, 1200];

export class Peer {
  /** Given up: whatever it still shows, its successor is on the way. */
  broken = false;
  readonly connection: ConnectionId;
  session: SessionId;
  id: PeerId;
  /** How old its pictures are when they are shown, if they are too old to be called live. */
  late: Millis | undefined;
  #cameraLostAt: Millis | undefined;
  #supersededAt: Millis | undefined;
  #countedAt: Millis;
  readonly #media: Liveness;
  readonly #path = new Path();
  readonly #patience: Millis;
  /** Its pictures come from the robot itself, which finds another path when it is asked. */
  readonly byRobot: boolean;
  readonly #begunAt: Millis;
  #open = true;

  constructor(connection: ConnectionId, { session, video, media }: Admission, id: PeerId, now: Millis) {
    this.connection = connection;
    this.byRobot = media === "p2p";
    this.#begunAt = now;
    this.session = session;
    this.id = id;
    this.#countedAt = now;
    this.#media = new Liveness(now);
    this.#patience = patience(video);
  }

  /** Whether the connection can take another offer. */
  get open(): boolean {
    return this.#open;
  }

  /** Whether it takes longer to show something than it is worth waiting for beside a picture that moves. */
  isOverdue(now: Millis): boolean {
    return now - this.#begunAt > READY_WITHIN;
  }

  /** Whether another path is being looked for under a connection that is worth it. */
  get mending(): boolean {
    return !this.broken && this.byRobot && this.#path.mending;
  }

  /** Whether there is nothing that could arrive. */
  get cameraLost(): boolean {
    return this.#cameraLostAt !== undefined && !this.broken;
  }

  /** Another camera is wanted: what this one still shows is not that. */
  supersede(now: Millis): void {
    this.#supersededAt ??= now;
  }

  loseCamera(now: Millis): void {
    this.#cameraLostAt = now;
  }

  stateChanged(state: RTCPeerConnectionState, now: Millis): void {
    if (state === "failed" || state === "closed") this.#open = false;
    // What was silent while it had no path is judged from here on.
    if (this.#path.stateChanged(state, now)) this.#media.rebase(now);
  }

  counted(counters: Counters, late: Millis | undefined, now: Millis): void {
    const tooLate = this.late === undefined ? LATE : LATE_NO_MORE;
    // What was late is so until it is known not to be: what is very late nobody can tell.
    if (late !== undefined) this.late = late >= tooLate ? late : undefined;
    const since = this.#countedAt;
    this.#countedAt = now;
    if (!this.#media.sample(counters, now)) return;
    this.#arrived(now);
    // Frames are no sign of it: one from before may be shown at any time, such as when a page is looked at again.
    if (this.#cameraLostAt !== undefined && since - this.#cameraLostAt >= LAST_PICTURES) this.#findCamera(now);
  }

  shown(now: Millis): void {
    this.#media.frame(now);
    this.#arrived(now);
  }

  /** The device has another network. Returns whether there is media to be kept by another path. */
  networkChanged(now: Millis): boolean {
    if (this.broken || !this.#media.began) return false;
    // A media server's client finds back by itself, or does not.
    if (!this.byRobot) return true;
    this.#path.networkChanged(now);
    return true;
  }

  restartDue(now: Millis): boolean {
    return !this.broken && this.byRobot && this.#path.verdict(now) === "restart";
  }

  restartAsked(now: Millis): void {
    this.#path.asked(now);
  }

  restartUnasked(now: Millis): void {
    this.#path.unasked(now);
  }

  rebase(now: Millis): void {
    this.#media.rebase(now);
  }

  flows(now: Millis): boolean {
    return !this.broken && (this.#cameraLostAt !== undefined || this.#media.flows(now));
  }

  /** Time since the last frame; nothing before the first. */
  age(now: Millis): Millis | undefined {
    return this.#media.age(now);
  }

  isLive(visible: boolean, now: Millis): boolean {
    if (this.#supersededAt !== undefined && now - this.#supersededAt > SUPERSEDES_WITHIN) return false;
    const age = this.age(now);
    return age !== undefined && age <= (visible ? this.#patience : Math.max(this.#patience, STALLED_UNSEEN));
  }

  verdict(visible: boolean, now: Millis): Verdict {
    if (this.broken) return "fine";
    const path = this.#path.verdict(now);
    if (path === "restart" && !this.byRobot) return "renew";
    if (path !== "fine" || this.#path.troubled || this.#cameraLostAt !== undefined) return path;
    // A hidden page is shown no frames, and its timers run late.
    return visible ? this.#media.verdict(now) : "fine";
  }

  #findCamera(now: Millis): void {
    this.#cameraLostAt = undefined;
    // What it was silent for is no fault of this connection.
    this.#media.rebase(now);
  }

  #arrived(now: Millis): void {
    // The keyframe that brings the picture back takes its time too.
    if (this.#path.arrived(now)) this.#media.rebase(now);
  }
}

/** A camera of one frame a second is not late after one second. */
function patience(video: Video): Millis {
  const slowest = Math.min(...video.rungs.map((rung) => rung.fps).filter((fps) => fps > 0), Infinity);
  return Math.max(STALLED_AFTER, 2500 / slowest);
}
