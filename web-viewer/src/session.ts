/**
 * Decides when to ask for the robot, which offer to take and when a connection has to be replaced.
 *
 * Pure: it is told what happened and when, and queues what must happen next. It names no socket, element or clock.
 * Its one rule: a picture that still moves is left alone until a new offer is there to replace it.
 */
import { Admittance } from "./admittance";
import type { Negotiable } from "./negotiation";
import { consequenceOf } from "./notices";
import { outlook, type Link } from "./outlook";
import { Playback } from "./playback";
import {
  PROTOCOL_VERSION,
  type Admission,
  type MediaKind,
  type Notice,
  type RobotId,
  type SessionId,
  type ToViewer,
  type WatchReply,
} from "./protocol.gen";
import type { Millis } from "./retry";
import type { ConnectionId, Input, Output, Surroundings, Target, View } from "./steps";
import { sameCamera, Wishes } from "./wishes";

/** What has just failed is not tried again at once. */
const DISTRUST: Millis = 60_000;

export class Session {
  #target: Target;
  readonly #admittance: Admittance;
  readonly #playback = new Playback();
  #outputs: Output[] = [];
  readonly #wishes: Wishes;
  readonly #takes: MediaKind[] | undefined;
  #link: Link;
  /** The server wants the picture to come another way. */
  #moves = false;
  /** What was asked for last is to begin beside what is shown. */
  #asksBeside = false;
  /** Until when pictures are to come from nobody but the robot. */
  #distrust: Millis = -Infinity;

  constructor(
    target: Target,
    now: Millis,
    { random = Math.random, codecs = () => [], attitude = false, takes }: Surroundings = {},
  ) {
    this.#target = target;
    this.#link = { downSince: now };
    this.#admittance = new Admittance(random);
    this.#wishes = new Wishes(codecs, attitude);
    this.#takes = takes;
  }

  get session(): SessionId | undefined {
    return this.#playback.session ?? this.#admittance.negotiation.admission?.session;
  }

  /** The rung that was chosen; nothing for Auto. */
  get rung(): number | undefined {
    return this.#wishes.rung;
  }

  takeOutputs(): Output[] {
    return this.#outputs.splice(0);
  }

  handle(input: Input, now: Millis): void {
    switch (input.type) {
      case "link":
        return this.#linkChanged(input.up, now);
      case "turnedAway":
        return this.#admittance.refused(input.notice, now);
      case "reply":
        return this.#admittance.expects(input.ask) ? this.#replied(input.reply, now) : undefined;
      case "message":
        return this.#received(input.message, now);
      case "answer":
      case "offer":
      case "candidate":
        return this.#say(input);
      case "peer":
        return this.#playback.stateChanged(input.connection, input.state, now)
          ? this.#lost(input.connection, now)
          : undefined;
      case "ready":
        return this.#arrived(input.connection, now);
      case "sample":
        return this.#playback.counted(input, now);
      case "frame":
        return this.#playback.shown(input.connection, now) ? this.#admittance.succeeded() : undefined;
      case "reception":
        return this.#report(input);
      case "visible":
        return this.#playback.setVisible(input.visible, now);
      case "target":
        if (!sameCamera(input.target, this.#target)) {
          this.#wishes.forget();
          this.#playback.supersede(now);
        }
        this.#target = input.target;
        return this.#afresh(now);
      case "want":
        this.#wishes.choose(input);
        return this.#catchUp(now);
      case "networkChanged":
        if (this.#admittance.stopped) return;
        return this.#playback.networkChanged(now) ? this.#catchUp(now) : this.#afresh(now);
      case "retry":
        return this.#afresh(now);
      case "tick":
        return this.#tick(now);
      default:
        return input satisfies never;
    }
  }

  view(now: Millis): View {
    return outlook(this.#playback, this.#admittance, this.#link, now);
  }

  #linkChanged(up: boolean, now: Millis): void {
    this.#link = up ? "up" : { downSince: this.#link === "up" ? now : this.#link.downSince };
    if (!up) return this.#admittance.unlinked();
    this.#admittance.rest();
    // A new connection may be judged anew, but whoever was sent away does not come back by itself.
    if (this.#admittance.problem?.code === "sent_away") return;
    this.#admittance.forget();
    this.#playback.restartUnasked(now);
    this.#ask(now);
  }

  #ask(now: Millis): void {
    // Without a link there is nobody to ask; the next link does it.
    if (this.#link !== "up") return this.#admittance.rest();
    const restart = this.#playback.restartDue(now);
    const beside = this.#moves && this.#playback.canStay;
    const resume = beside ? undefined : this.#playback.resumable(now);
    const wishes = this.#wishes.say(restart);
    if (restart) this.#playback.restartAsked(now);
    this.#asksBeside = beside;
    this.#moves = false;
    const takes = this.#takes && (now < this.#distrust ? [] : this.#takes);
    const watch = {
      version: PROTOCOL_VERSION,
      ...this.#target,
      ...(resume !== undefined && { resume }),
      ...(takes && { takes }),
      ...(beside && { beside }),
      ...wishes,
    };
    this.#outputs.push({ type: "watch", ask: this.#admittance.ask(), watch });
  }

  /** Says what the robot has not heard yet, to go on with the session, unless a question is under way that will. */
  #catchUp(now: Millis): void {
    if (this.#admittance.pending || this.#admittance.stopped) return;
    if (this.#moves) return this.#ask(now);
    if (this.#playback.resumable(now) === undefined) return;
    if (this.#wishes.unsaid || this.#playback.restartDue(now)) this.#ask(now);
  }

  /** The picture comes another way from now on; what is shown stays until it does. */
  #move(session: SessionId, now: Millis): void {
    const { session: shown, next } = this.#playback;
    // It was of one that has been replaced meanwhile.
    if (shown !== undefined && session !== shown && session !== next) return;
    this.#moves = true;
    if (this.#admittance.planned) this.#admittance.rest();
    this.#catchUp(now);
  }

  /** Asks for a new session at once: the old one is not wanted any more, even if it lives. */
  #afresh(now: Millis): void {
    this.#admittance.forget();
    this.#playback.giveUp();
    this.#ask(now);
  }

  #replied(reply: WatchReply | undefined, now: Millis): void {
    if (!reply) return this.#admittance.again(now);
    if ("error" in reply) return this.#admittance.refused(reply.error, now);
    // What was to be resumed may have died while the server answered.
    if (reply.resumed && !this.#playback.resume(reply)) return this.#admittance.again(now);
    const { rung } = this.#wishes;
    if (rung !== undefined && rung >= reply.video.rungs.length) this.#wishes.forget();
    // The server has ended whatever was to follow what goes on.
    if (reply.resumed) this.#dropNext();
    this.#admittance.admitted(reply, now);
    this.#outputs.push({ type: "admitted", admission: reply });
    if (!reply.resumed && reply.media !== "p2p") return this.#join(reply, now);
    for (const early of this.#admittance.negotiation.admit(reply)) this.#negotiated(early, now);
  }

  #received(message: ToViewer, now: Millis): void {
    switch (message[0]) {
      case "broadcaster":
        return this.#isOurs(message[1]?.robot) ? this.#ask(now) : undefined;
      case "broadcasterLeft":
        if (!this.#isOurs(message[1]?.robot)) return;
        return this.#admittance.refused({ code: "robot_offline", message: "The robot has left." }, now);
      case "offer":
      case "candidate":
        return this.#negotiated(message, now);
      case "answer": {
        const connection = this.#playback.connectionOf(message[3]?.session);
        if (connection !== undefined) this.#outputs.push({ type: "answered", connection, description: message[2] });
        return;
      }
      case "move":
        return this.#move(message[1].session, now);
      case "notice":
        return this.#noticed(message[1], message[2]?.session, now);
      default:
        return message satisfies never;
    }
  }

  /** Whether what begins now leaves alone what is shown: a media server's pictures go on whatever the robot does. */
  get #startsBeside(): boolean {
    return this.#playback.canStay && (this.#asksBeside || !this.#playback.byRobot);
  }

  /** A media server has the picture. */
  #join(admission: Admission, now: Millis): void {
    const beside = this.#startsBeside;
    if (beside) this.#dropNext();
    else this.#close();
    const connection = this.#playback.open(admission, admission.peer, now, beside);
    this.#admittance.offered();
    this.#outputs.push({ type: "join", connection, admission, beside });
  }

  #noticed(notice: Notice, about: SessionId | undefined, now: Millis): void {
    if (about !== undefined && about === this.#playback.next) return this.#failNext(now);
    const circumstances = { playback: this.#playback, admittance: this.#admittance, now };
    const consequence = consequenceOf(notice, about, circumstances);
    if (consequence === "none") return;
    if (consequence === "dark") return this.#playback.loseCamera(now);
    if (consequence === "lost") this.#playback.giveUp();
    if (consequence === "withdrawn") this.#close();
    this.#admittance.refused(notice, now);
  }

  #negotiated(message: Negotiable, now: Millis): void {
    if (this.#playback.owns(message)) return this.#renegotiated(message);
    const { negotiation } = this.#admittance;
    const admission = negotiation.take(message);
    if (!admission) return;
    if (message[0] === "offer") {
      const beside = this.#startsBeside;
      if (beside) this.#dropNext();
      else this.#close();
      const connection = this.#playback.open(admission, message[1], now, beside);
      this.#admittance.offered();
      this.#outputs.push({ type: "connect", connection, admission, description: message[2], beside });
      for (const candidate of negotiation.offered()) this.#negotiated(candidate, now);
    } else {
      const connection = this.#playback.connectionOf(admission.session) ?? this.#playback.connection;
      if (connection !== undefined) this.#outputs.push({ type: "addCandidate", connection, candidate: message[2] });
    }
  }

  /** What names the session that is open is for its connection, whatever else is being asked meanwhile. */
  #renegotiated(message: Negotiable): void {
    const connection = this.#playback.connectionOf(message[3]?.session);
    if (connection === undefined) return;
    if (message[0] === "candidate") {
      this.#outputs.push({ type: "addCandidate", connection, candidate: message[2] });
      return;
    }
    this.#playback.heardFrom(message[1], connection);
    this.#outputs.push({ type: "renegotiate", connection, description: message[2] });
  }

  #close(): void {
    this.#dropNext();
    const closed = this.#playback.close();
    if (closed !== undefined) this.#outputs.push({ type: "close", connection: closed });
  }

  #dropNext(): void {
    const dropped = this.#playback.dropNext();
    if (dropped !== undefined) this.#outputs.push({ type: "close", connection: dropped });
  }

  /** What was to follow has failed: the server is to know that what is shown goes on. */
  #failNext(now: Millis): void {
    this.#dropNext();
    this.#distrust = now + DISTRUST;
    if (!this.#admittance.pending && !this.#admittance.stopped) this.#ask(now);
  }

  /** What was made beside what is shown has something to show. */
  #arrived(connection: ConnectionId, now: Millis): void {
    const former = this.#playback.promote(connection, now);
    if (former === undefined) return;
    this.#outputs.push({ type: "show", connection }, { type: "close", connection: former });
    this.#admittance.succeeded();
    const { session } = this.#playback;
    if (session !== undefined && this.#link === "up") {
      this.#outputs.push({ type: "send", message: ["arrived", { session }] });
    }
  }

  #say(input: Extract<Input, { type: "answer" | "offer" | "candidate" }>): void {
    const message = this.#playback.say(input);
    if (message && this.#link === "up") this.#outputs.push({ type: "send", message });
  }

  #report({ connection, reception }: Extract<Input, { type: "reception" }>): void {
    const { session } = this.#playback;
    if (this.#link !== "up" || session === undefined || connection !== this.#playback.connection) return;
    this.#outputs.push({ type: "send", message: ["reception", reception, { session }] });
  }

  #tick(now: Millis): void {
    const verdict = this.#playback.verdict(now);
    if (verdict === "reattach") this.#outputs.push({ type: "reattach" });
    if (verdict === "renew") this.#giveUp(now);
    if (this.#playback.nextIsOverdue(now)) this.#failNext(now);
    if (this.#admittance.overdue(now) === "offer") this.#admittance.again(now);
    if (this.#admittance.overdue(now) === "retry") this.#ask(now);
    this.#catchUp(now);
  }

  #lost(connection: ConnectionId, now: Millis): void {
    if (this.#playback.isNext(connection)) this.#failNext(now);
    else this.#giveUp(now);
  }

  #giveUp(now: Millis): void {
    // Something else follows already.
    if (this.#playback.next !== undefined) return;
    const { byRobot } = this.#playback;
    this.#playback.giveUp();
    if (!byRobot) {
      this.#distrust = now + DISTRUST;
      if (!this.#admittance.pending && !this.#admittance.stopped) return this.#ask(now);
    }
    if (!this.#admittance.pending && !this.#admittance.stopped) this.#admittance.again(now);
  }

  #isOurs(robot: RobotId | undefined): boolean {
    const ours = this.#target.robot ?? this.#admittance.negotiation.admission?.robot ?? robot;
    return !this.#admittance.stopped && (robot === undefined || robot === ours);
  }
}
