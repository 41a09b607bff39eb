/**
 * The typed link to the server: what comes is checked, what goes is of the protocol. What a message means is decided in
 * `session`.
 *
 * The link is closed when the page goes away, so that the robot learns of it at once, and comes back with the page.
 */
import { decodeToViewer, decodeWatchReply, isCode, isNotice } from "./guards";
import { polling, webSocket } from "./link/lines";
import { Socket } from "./link/socket";
import { onNetworkChange } from "./network";
import { PROTOCOL_VERSION } from "./protocol.gen";
import type { Code, Hello, Notice, ToServer, ToViewer, Watch, WatchReply } from "./protocol.gen";

export interface SignallingEvents {
  link(up: boolean): void;
  message(message: ToViewer): void;
  /** The server does not take this connection; it is tried again all the same. */
  turnedAway(notice: Notice): void;
}

export class Signalling {
  readonly #socket: Socket;
  readonly #events: SignallingEvents;
  readonly #life = new AbortController();

  constructor(events: SignallingEvents, token: string | undefined) {
    this.#events = events;
    const hello: Hello = { version: PROTOCOL_VERSION, ...(token !== undefined && { token }) };
    this.#socket = new Socket(
      hello,
      {
        link: (up) => events.link(up),
        refused: (message, data) => this.#refused(message, data),
        event: (name, args) => this.#received(name, args),
      },
      [webSocket, polling],
    );

    const { signal } = this.#life;
    addEventListener("pagehide", () => this.#socket.close(), { signal });
    addEventListener("pageshow", ({ persisted }) => persisted && this.#socket.connect(), { signal });
    onNetworkChange(() => this.#socket.doubt(), signal);
    // A planned attempt need not wait for its turn.
    addEventListener("online", () => this.#socket.connect(), { signal });
  }

  /** At once, where the link is down. */
  connect(): void {
    this.#socket.connect();
  }

  send(message: ToServer): void {
    const [event, ...args] = message;
    this.#socket.send(event, ...args);
  }

  /** Asks to watch. No reply in time, or one that is none, is `undefined`. */
  async watch(watch: Watch): Promise<WatchReply | undefined> {
    const reply = await this.#socket.ask("watcher", watch);
    const decoded = decodeWatchReply(reply);
    if (!decoded) console.debug("not a reply", reply);
    return decoded;
  }

  close(): void {
    this.#life.abort();
    this.#socket.close();
  }

  #received(event: string, args: unknown[]): void {
    const message = decodeToViewer(event, args);
    if (message) this.#events.message(message);
    else console.debug("not an event of the protocol", event, args);
  }

  #refused(message: string, data: unknown): void {
    // The server's own refusals bear their code as the message.
    const code: Code = isCode(message) ? message : "unauthorized";
    const notice: Notice = isNotice(data) ? data : { code, message };
    this.#events.turnedAway(notice);
  }
}
