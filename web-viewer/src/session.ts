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
  type Notice,
  type RobotId,
  type SessionId,
  type ToViewer,
  type WatchReply,
} from "./protocol.gen";
import type { Millis } from "./retry";
import type { Input, Output, Surroundings, Target, View } from "./steps";
import { sameCamera, Wishes } from "./wishes";

export class Session {
  #target: Target;
  readonly #admittance: Admittance;
  readonly #playback = new Playback();
  #outputs: Output[] = [];
  readonly #wishes: Wishes;
  #link: Link;

  constructor(
    target: Target,
    now: Millis,
    { random = Math.random, codecs = () => [], attitude = false }: Surroundings = {},
  ) {
    this.#target = target;
    this.#link = { downSince: now };
    this.#admittance = new Admittance(random);
    this.#wishes = new Wishes(codecs, attitude);
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
      case "candidate":
        return this.#say(input);
      case "peer":
        return this.#playback.stateChanged(input.connection, input.state, now) ? this.#giveUp(now) : undefined;
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
    const resume = this.#playback.resumable(now);
    const wishes = this.#wishes.say(restart);
    if (restart) this.#playback.restartAsked(now);
    const watch = { version: PROTOCOL_VERSION, ...this.#target, ...(resume !== undefined && { resume }), ...wishes };
    this.#outputs.push({ type: "watch", ask: this.#admittance.ask(), watch });
  }

  /** Says what the robot has not heard yet, to go on with the session, unless a question is under way that will. */
  #catchUp(now: Millis): void {
    if (this.#admittance.pending || this.#admittance.stopped || this.#playback.resumable(now) === undefined) return;
    if (this.#wishes.unsaid || this.#playback.restartDue(now)) this.#ask(now);
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
    this.#admittance.admitted(reply, now);
    this.#outputs.push({ type: "admitted", admission: reply });
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
      // This page makes no offers.
      case "answer":
        return;
      case "notice":
        return this.#noticed(message[1], message[2]?.session, now);
      default:
        return message satisfies never;
    }
  }

  #noticed(notice: Notice, about: SessionId | undefined, now: Millis): void {
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
      this.#close();
      const connection = this.#playback.open(admission, message[1], now);
      this.#admittance.offered();
      this.#outputs.push({ type: "connect", connection, admission, description: message[2] });
      for (const candidate of negotiation.offered()) this.#negotiated(candidate, now);
    } else if (this.#playback.connection !== undefined) {
      this.#outputs.push({ type: "addCandidate", connection: this.#playback.connection, candidate: message[2] });
    }
  }

  /** What names the session that is open is for its connection, whatever else is being asked meanwhile. */
  #renegotiated(message: Negotiable): void {
    const { connection } = this.#playback;
    if (connection === undefined) return;
    if (message[0] === "candidate") {
      this.#outputs.push({ type: "addCandidate", connection, candidate: message[2] });
      return;
    }
    this.#playback.heardFrom(message[1]);
    this.#outputs.push({ type: "renegotiate", connection, description: message[2] });
  }

  #close(): void {
    const closed = this.#playback.close();
    if (closed !== undefined) this.#outputs.push({ type: "close", connection: closed });
  }

  #say(input: Extract<Input, { type: "answer" | "candidate" }>): void {
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
    if (this.#admittance.overdue(now) === "offer") this.#admittance.again(now);
    if (this.#admittance.overdue(now) === "retry") this.#ask(now);
    this.#catchUp(now);
  }

  #giveUp(now: Millis): void {
    this.#playback.giveUp();
    if (!this.#admittance.pending && !this.#admittance.stopped) this.#admittance.again(now);
  }

  #isOurs(robot: RobotId | undefined): boolean {
    const ours = this.#target.robot ?? this.#admittance.negotiation.admission?.robot ?? robot;
    return !this.#admittance.stopped && (robot === undefined || robot === ours);
  }
}
