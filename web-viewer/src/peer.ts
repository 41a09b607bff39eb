/** What is known of the one peer connection that is in use: whose it is, and whether it is worth keeping. Pure. */
import { Liveness, type Counters, type Verdict } from "./liveness";
import type { PeerId, SessionId, Video } from "./protocol.gen";
import type { Millis } from "./retry";
import type { ConnectionId } from "./steps";

/** ICE often finds back by itself within this time, and seldom after it. */
const DISCONNECTED: Millis = 2000;
const STALLED_AFTER: Millis = 1000;

export class Peer {
  /** Given up: whatever it still shows, its successor is on the way. */
  broken = false;
  readonly connection: ConnectionId;
  session: SessionId;
  id: PeerId;
  readonly #media: Liveness;
  readonly #patience: Millis;
  #disconnectedAt: Millis | undefined;

  constructor(connection: ConnectionId, session: SessionId, id: PeerId, video: Video, now: Millis) {
    this.connection = connection;
    this.session = session;
    this.id = id;
    this.#media = new Liveness(now);
    this.#patience = patience(video);
  }

  stateChanged(state: RTCPeerConnectionState, now: Millis): void {
    this.#disconnectedAt = state === "disconnected" ? (this.#disconnectedAt ?? now) : undefined;
  }

  counted(counters: Counters, now: Millis): void {
    this.#media.sample(counters, now);
  }

  shown(now: Millis): void {
    this.#media.frame(now);
  }

  rebase(now: Millis): void {
    this.#media.rebase(now);
  }

  flows(now: Millis): boolean {
    return !this.broken && this.#media.flows(now);
  }

  /** Time since the last frame; nothing before the first. */
  age(now: Millis): Millis | undefined {
    return this.#media.age(now);
  }

  isLive(now: Millis): boolean {
    const age = this.age(now);
    return age !== undefined && age <= this.#patience;
  }

  verdict(visible: boolean, now: Millis): Verdict {
    if (this.broken) return "fine";
    if (this.#disconnectedAt !== undefined && now - this.#disconnectedAt > DISCONNECTED) return "renew";
    // A hidden page is shown no frames, and its timers run late.
    return visible ? this.#media.verdict(now) : "fine";
  }
}

/** A camera of one frame a second is not late after one second. */
function patience(video: Video): Millis {
  const slowest = Math.min(...video.rungs.map((rung) => rung.fps).filter((fps) => fps > 0), Infinity);
  return Math.max(STALLED_AFTER, 2500 / slowest);
}
