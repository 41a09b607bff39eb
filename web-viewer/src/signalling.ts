/**
 * The typed link to the server. It owns reconnecting and nothing else: what a message means is decided in `session`.
 *
 * The link is closed when the page goes away, so that the robot learns of it at once, and comes back with the page.
 */
import { io, type Socket } from "socket.io-client";
import { decodeToViewer, decodeWatchReply, isCode, isNotice } from "./guards";
import type { Code, Notice, ToServer, ToViewer, Watch, WatchReply } from "./protocol.gen";

export interface SignallingEvents {
  link(up: boolean): void;
  message(message: ToViewer): void;
  /** The server does not take this connection; it is tried again all the same. */
  turnedAway(notice: Notice): void;
}

const REPLY_WITHIN = 5000;
const FIRST_RETRY = 500;
const LONGEST_RETRY = 5000;

export class Signalling {
  readonly #socket: Socket;
  readonly #events: SignallingEvents;
  readonly #life = new AbortController();
  #retry: number | undefined;

  constructor(events: SignallingEvents) {
    this.#events = events;
    this.#socket = io({
      transports: ["websocket", "polling"],
      // Without it a network that blocks WebSockets would never get as far as polling.
      tryAllTransports: true,
      reconnectionDelay: FIRST_RETRY,
      reconnectionDelayMax: LONGEST_RETRY,
      randomizationFactor: 0.5,
      timeout: REPLY_WITHIN,
    });
    this.#socket.on("connect", () => events.link(true));
    this.#socket.on("disconnect", (reason) => this.#lost(reason));
    this.#socket.on("connect_error", (error) => this.#failed(error));
    this.#socket.onAny((event: string, ...args: unknown[]) => this.#received(event, args));

    const { signal } = this.#life;
    addEventListener("pagehide", () => this.#socket.disconnect(), { signal });
    addEventListener("pageshow", (event) => event.persisted && this.#socket.connect(), { signal });
    addEventListener("online", () => this.#hurry(), { signal });
  }

  send(message: ToServer): void {
    const [event, ...args] = message;
    this.#socket.emit(event, ...args);
  }

  /** Asks to watch. No reply in time, or one that is none, is `undefined`. */
  async watch(watch: Watch): Promise<WatchReply | undefined> {
    try {
      const reply: unknown = await this.#socket.timeout(REPLY_WITHIN).emitWithAck("watcher", watch);
      const decoded = decodeWatchReply(reply);
      if (!decoded) console.debug("not a reply", reply);
      return decoded;
    } catch {
      return undefined;
    }
  }

  close(): void {
    this.#life.abort();
    clearTimeout(this.#retry);
    this.#socket.removeAllListeners();
    this.#socket.offAny();
    this.#socket.disconnect();
  }

  #received(event: string, args: unknown[]): void {
    const message = decodeToViewer(event, args);
    if (message) this.#events.message(message);
    else console.debug("not an event of the protocol", event, args);
  }

  #lost(reason: Socket.DisconnectReason): void {
    this.#events.link(false);
    // The one loss after which the client does not come back by itself.
    if (reason === "io server disconnect") this.#connectLater(FIRST_RETRY);
  }

  #failed(error: Error & { data?: unknown }): void {
    // Still active: the network's failure, which the client mends. Otherwise the server has said no.
    if (this.#socket.active) return;
    // The server's own refusals bear their code as the message.
    const code: Code = isCode(error.message) ? error.message : "unauthorized";
    const notice: Notice = isNotice(error.data) ? error.data : { code, message: error.message };
    this.#events.turnedAway(notice);
    this.#connectLater(LONGEST_RETRY);
  }

  #connectLater(delay: number): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#socket.connect(), delay * (0.5 + Math.random()));
  }

  /** The network is back: a planned attempt need not wait for its turn. */
  #hurry(): void {
    if (this.#socket.connected || !this.#socket.active) return;
    this.#socket.disconnect().connect();
  }
}
