/**
 * The link to the server, which comes back by itself. It knows packets and lines, and nothing of what they mean.
 *
 * What is said while the link is down is lost: who says it again, and what, is for who said it.
 */
import { backoff } from "../retry";
import type { Line, LineEvents, Opening } from "./lines";
import { PONG, connect, event, parse, type Packet } from "./packets";

export interface SocketEvents {
  link(up: boolean): void;
  /** The server does not take this connection; it is tried again all the same. */
  refused(message: string, data: unknown): void;
  event(name: string, args: unknown[]): void;
}

/** For a connection, and for each answer. */
const REPLY_WITHIN = 5000;
const PAUSES = { first: 500, longest: 5000 };

export class Socket {
  readonly #auth: object;
  readonly #events: SocketEvents;
  readonly #openings: readonly Opening[];
  /** Which of the openings is tried, or has worked. */
  #opening = 0;
  #worked = false;
  #line: Line | undefined;
  #up = false;
  #failures = 0;
  /** Until something has to have happened: an answer, a sign of life, or the next attempt. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  #silence = REPLY_WITHIN;
  #asks = 0;
  /** It may lead to a network that this device has left. */
  #doubted = false;
  readonly #replies = new Map<number, (reply: unknown) => void>();

  /** Tries the openings in their order until one of them has worked, and then only that one. */
  constructor(auth: object, events: SocketEvents, openings: readonly Opening[]) {
    this.#auth = auth;
    this.#events = events;
    this.#openings = openings;
    this.connect();
  }

  /** At once, whatever is planned. Leaves a link alone that is up. */
  connect(): void {
    if (this.#up) return;
    this.#drop();
    const opening = this.#openings[this.#opening];
    if (!opening) return;
    // A line that was given up may still have something to say.
    const own: LineEvents = {
      packet: (text) => line === this.#line && this.#received(parse(text)),
      lost: () => line === this.#line && this.#lost(),
    };
    const line = opening(own);
    this.#line = line;
    this.#expect(REPLY_WITHIN);
  }

  send(name: string, ...args: unknown[]): void {
    if (this.#up) this.#line?.send(event(name, args));
  }

  /** This device has another network: a line that a question is met with silence on is lost, and says so to nobody. */
  doubt(): void {
    this.#doubted = true;
  }

  /** No reply in time is `undefined`. */
  ask(name: string, ...args: unknown[]): Promise<unknown> {
    if (!this.#up) return Promise.resolve(undefined);
    const ask = (this.#asks += 1);
    return new Promise((resolve) => {
      const replied = (reply?: unknown): void => {
        clearTimeout(patience);
        this.#replies.delete(ask);
        resolve(reply);
      };
      const patience = setTimeout(() => (this.#doubted ? this.#lost() : replied()), REPLY_WITHIN);
      this.#replies.set(ask, replied);
      this.#line?.send(event(name, args, ask));
    });
  }

  /** Until `connect`. */
  close(): void {
    this.#drop(true);
    this.#down();
  }

  #received(packet: Packet | undefined): void {
    // Anything is a sign of life.
    this.#doubted = false;
    if (this.#up) this.#expect(this.#silence);
    switch (packet?.kind) {
      case undefined:
        return;
      case "opened":
        this.#silence = packet.silence;
        // Whoever is far away has had many round trips until here.
        this.#expect(REPLY_WITHIN);
        return this.#line?.send(connect(this.#auth));
      case "ping":
        // A server that lets in and ends at once is not hurried.
        this.#failures = 0;
        return this.#line?.send(PONG);
      case "connected":
        this.#up = true;
        this.#worked = true;
        this.#expect(this.#silence);
        return this.#events.link(true);
      case "refused":
        this.#worked = true;
        this.#drop();
        // Nobody hurries to be refused again.
        this.#plan(PAUSES.longest * (0.5 + Math.random()));
        return this.#events.refused(packet.message, packet.data);
      case "event":
        return this.#events.event(packet.event, packet.args);
      case "reply":
        return this.#replies.get(packet.ask)?.(packet.reply);
      case "closed":
        return this.#lost();
      default:
        return packet satisfies never;
    }
  }

  #lost(): void {
    this.#drop();
    // The next opening is tried at once: it may be the one that gets through.
    if (!this.#worked) this.#opening = (this.#opening + 1) % this.#openings.length;
    if (this.#opening > 0 && !this.#worked) return this.connect();
    this.#failures += 1;
    this.#plan(backoff(this.#failures, Math.random, PAUSES));
    this.#down();
  }

  #down(): void {
    for (const replied of this.#replies.values()) replied(undefined);
    if (!this.#up) return;
    this.#up = false;
    this.#events.link(false);
  }

  #drop(goodbye = false): void {
    clearTimeout(this.#timer);
    this.#line?.close(goodbye);
    this.#line = undefined;
  }

  /** A sign of life within this, or the line is lost. */
  #expect(within: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lost(), within);
  }

  #plan(after: number): void {
    this.#timer = setTimeout(() => this.connect(), after);
  }
}
