/** Holds the one peer connection in use and turns away words from those before it. Pure. */
import type { Verdict } from "./liveness";
import type { Negotiable } from "./negotiation";
import { Peer } from "./peer";
import type { Admission, PeerId, SessionId, SessionRef, ToServer } from "./protocol.gen";
import type { Millis } from "./retry";
import type { ConnectionId, PeerInput } from "./steps";

export class Playback {
  /** Whether this page has ever shown a picture. */
  hadPicture = false;
  #peer: Peer | undefined;
  /** What follows it as soon as it has something to show. */
  #next: Peer | undefined;
  #connections = 0;
  #visible = true;

  get session(): SessionId | undefined {
    return this.#peer?.session;
  }

  get connection(): ConnectionId | undefined {
    return this.#peer?.connection;
  }

  /** The session whose media arrives right now. */
  flowing(now: Millis): SessionId | undefined {
    return this.#peer?.flows(now) ? this.#peer.session : undefined;
  }

  /** The session that is worth going on with: its media arrives, or another path for it is being looked for. */
  resumable(now: Millis): SessionId | undefined {
    return this.mending ? this.session : this.flowing(now);
  }

  get mending(): boolean {
    return this.#peer?.mending ?? false;
  }

  isLive(now: Millis): boolean {
    return this.#peer?.isLive(this.#visible, now) ?? false;
  }

  age(now: Millis): Millis | undefined {
    return this.#peer?.age(now);
  }

  /** How old what moves is, if it is too old to be called live. */
  get late(): Millis | undefined {
    return this.#peer?.late;
  }

  get cameraLost(): boolean {
    return this.#peer?.cameraLost ?? false;
  }

  /** The robot says that there are no pictures to be sent. */
  loseCamera(now: Millis): void {
    this.#peer?.loseCamera(now);
  }

  /** Whether what is shown comes from the robot itself. */
  get byRobot(): boolean {
    return this.#peer?.byRobot ?? true;
  }

  /** The session of what is to follow. */
  get next(): SessionId | undefined {
    return this.#next?.session;
  }

  /** Whether there is something worth keeping until something else is ready. */
  get canStay(): boolean {
    return this.#peer !== undefined && !this.#peer.broken;
  }

  /** `beside`: what is shown stays until this one is ready. */
  open(admission: Admission, id: PeerId, now: Millis, beside = false): ConnectionId {
    this.#connections += 1;
    const peer = new Peer(this.#connections, admission, id, now);
    if (beside) this.#next = peer;
    else this.#peer = peer;
    return this.#connections;
  }

  /** The connection of this session, if it is open. */
  connectionOf(session: SessionId | undefined): ConnectionId | undefined {
    return [this.#peer, this.#next].find((peer) => peer?.open && session !== undefined && peer.session === session)
      ?.connection;
  }

  /** Whether the message is expressly for a session whose connection is open. */
  owns(message: Negotiable): boolean {
    return this.connectionOf(message[3]?.session) !== undefined;
  }

  /** The robot goes on under this id. */
  heardFrom(id: PeerId, connection: ConnectionId): void {
    const peer = this.#of(connection);
    if (peer) peer.id = id;
  }

  /** It has something to show: from now on it is what is shown. Returns what was before, if something was. */
  promote(connection: ConnectionId, now: Millis): ConnectionId | undefined {
    if (connection !== this.#next?.connection) return undefined;
    const former = this.#peer?.connection;
    this.#peer = this.#next;
    this.#next = undefined;
    this.#peer.shown(now);
    return former;
  }

  /** What was to follow does not. Returns which it was. */
  dropNext(): ConnectionId | undefined {
    const dropped = this.#next?.connection;
    this.#next = undefined;
    return dropped;
  }

  isNext(connection: ConnectionId): boolean {
    return connection === this.#next?.connection;
  }

  nextIsOverdue(now: Millis): boolean {
    return this.#next?.isOverdue(now) ?? false;
  }

  close(): ConnectionId | undefined {
    const closed = this.connection;
    this.#peer = undefined;
    return closed;
  }

  /** Goes on under the new admission, unless what was to go on has died meanwhile. */
  resume(admission: Admission): boolean {
    if (!this.#peer || this.#peer.broken) return false;
    this.#peer.session = admission.session;
    this.#peer.id = admission.peer;
    return true;
  }

  giveUp(): void {
    if (this.#peer) this.#peer.broken = true;
  }

  /** What is shown is not what is wanted any more. */
  supersede(now: Millis): void {
    this.#peer?.supersede(now);
  }

  setVisible(visible: boolean, now: Millis): void {
    this.#visible = visible;
    this.#peer?.rebase(now);
  }

  /** Returns whether there is media to be kept by another path. */
  networkChanged(now: Millis): boolean {
    return this.#peer?.networkChanged(now) ?? false;
  }

  restartDue(now: Millis): boolean {
    return this.#peer?.restartDue(now) ?? false;
  }

  restartAsked(now: Millis): void {
    this.#peer?.restartAsked(now);
  }

  restartUnasked(now: Millis): void {
    this.#peer?.restartUnasked(now);
  }

  /** What the connection has to say to its robot; nothing when it is not the one in use. */
  say(input: Extract<PeerInput, { type: "answer" | "offer" | "candidate" }>): ToServer | undefined {
    const peer = this.#of(input.connection);
    if (!peer) return undefined;
    const about: SessionRef = { session: peer.session };
    return input.type === "candidate"
      ? ["candidate", peer.id, input.candidate, about]
      : [input.type, peer.id, input.description, about];
  }

  /** Returns whether the connection has just been lost for good. */
  stateChanged(connection: ConnectionId, state: RTCPeerConnectionState, now: Millis): boolean {
    const peer = this.#of(connection);
    if (!peer) return false;
    peer.stateChanged(state, now);
    return state === "failed" || state === "closed";
  }

  counted(input: Extract<PeerInput, { type: "sample" }>, now: Millis): void {
    this.#of(input.connection)?.counted(input.counters, input.late, now);
  }

  /** Returns whether the frame is of the connection in use. */
  shown(connection: ConnectionId, now: Millis): boolean {
    if (connection !== this.connection) return false;
    this.#peer?.shown(now);
    this.hadPicture = true;
    return true;
  }

  verdict(now: Millis): Verdict {
    return this.#peer?.verdict(this.#visible, now) ?? "fine";
  }

  #of(connection: ConnectionId): Peer | undefined {
    return [this.#peer, this.#next].find((peer) => peer?.connection === connection);
  }
}
