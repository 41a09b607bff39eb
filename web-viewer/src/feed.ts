/**
 * Brings one camera's picture to where it is seen: the session, its own link to the server, and the connection to the robot,
 * which know nothing of each other.
 */
import { Connection } from "./connection";
import type { Delay } from "./delay";
import { diagnosisOf } from "./diagnosis";
import { Incoming } from "./incoming";
import type { MediaLink, MediaLinkEvents } from "./media-link";
import { onNetworkChange } from "./network";
import type { Pane } from "./pane";
import type { Admission, Candidate, Description, MediaKind, Notice, ToViewer, VideoCodec, Want } from "./protocol.gen";
import { Reporter } from "./reporter";
import { Session } from "./session";
import { Signalling } from "./signalling";
import { sampleOf, type Delays, type Sample } from "./stats";
import type { ConnectionId, Input, Output, Target } from "./steps";
import type { English } from "./text";
import { codecsOf } from "./wishes";
import { wordsFor, type Words } from "./words";

/** Fine enough to see within a blink that a picture stands still. */
const TICK = 250;
const SAMPLE = 1000;

/** What else than a connection to the robot pictures can come by. */
const TAKES: MediaKind[] = ["livekit", "whep"];

export interface FeedEvents {
  /** What there is to say of it. Often the same as before. */
  told(words: Words, session: string | undefined): void;
  admitted?(admission: Admission): void;
  /** Another connection is made. */
  connects?(): void;
  /** The picture comes by another stream, and this way. */
  attached?(by: "p2p" | MediaKind): void;
  sampled?(sample: Sample, delays: Delays): void;
}

export class Feed {
  readonly #pane: Pane;
  readonly #events: FeedEvents;
  readonly #session: Session;
  readonly #signalling: Signalling;
  readonly #reporter = new Reporter();
  readonly #life = new AbortController();
  readonly #timers: number[];
  #connection: Incoming | undefined;
  /** What is to be shown instead, as soon as it has pictures. */
  #next: Incoming | undefined;
  /** What is being loaded for it. */
  #joining: ConnectionId | undefined;
  /** What was shown before, and is about to be closed. */
  #former: Incoming | undefined;
  /** Why the last connection came to nothing, if it did. */
  #why: English | undefined;
  /** The connection whose stream the picture shows. */
  #attached: ConnectionId = 0;
  #admission: Admission | undefined;
  /** The best that there is room for. */
  #best: number | undefined;
  #visible = true;

  constructor(target: Target, token: string | undefined, pane: Pane, events: FeedEvents) {
    this.#pane = pane;
    this.#events = events;
    this.#session = new Session(target, performance.now(), { codecs: decodable, attitude: true, takes: TAKES });
    const heard = {
      link: (up: boolean) => this.tell({ type: "link", up }),
      message: (message: ToViewer) => this.tell({ type: "message", message }),
      turnedAway: (notice: Notice) => this.tell({ type: "turnedAway", notice }),
    };
    this.#signalling = new Signalling(heard, token);
    const { signal } = this.#life;
    onNetworkChange(() => this.tell({ type: "networkChanged" }), signal);
    document.addEventListener("visibilitychange", () => this.#tick(), { signal });
    pane.video.addEventListener("volumechange", () => this.#keepInStep(), { signal });
    this.#timers = [setInterval(() => this.#tick(), TICK), setInterval(() => this.#sample(), SAMPLE)];
    this.#show();
  }

  /** The rung that was chosen; nothing for Auto. */
  get rung(): number | undefined {
    return this.#session.rung;
  }

  /** A new frame is on the screen. */
  frame(): void {
    this.#why = undefined;
    const { shown } = this.#pane;
    // What is on the screen may still be of the connection before.
    if (shown && this.#connection?.id === this.#attached) this.#connection.latency.shown(shown);
    this.tell({ type: "frame", connection: this.#attached });
  }

  /** Somebody does not want to wait for the next attempt. */
  retry(): void {
    this.#signalling.connect();
    this.tell({ type: "retry" });
  }

  want(want: Want): void {
    this.tell({ type: "want", ...want });
    this.#best = want.best;
    for (const incoming of [this.#connection, this.#next]) if (incoming) this.#prefer(incoming);
  }

  tell(input: Input): void {
    // What was asked for before the end may be answered after it.
    if (this.#life.signal.aborted) return;
    this.#session.handle(input, performance.now());
    for (const output of this.#session.takeOutputs()) this.#carryOut(output);
    this.#show();
  }

  close(): void {
    this.#life.abort();
    for (const timer of this.#timers) clearInterval(timer);
    this.#signalling.close();
    this.#connection?.link.close();
    this.#next?.link.close();
  }

  #tick(): void {
    const visible = this.#pane.canShow;
    if (visible !== this.#visible) this.tell({ type: "visible", visible });
    this.#visible = visible;
    this.tell({ type: "tick" });
    this.#keepInStep();
  }

  #keepInStep(): void {
    const { video, shown } = this.#pane;
    const own = this.#connection?.id === this.#attached;
    this.#connection?.inStep.keep(own ? shown : undefined, !video.muted);
  }

  #show(): void {
    this.#events.told(wordsFor(this.#session.view(performance.now()), this.#why), this.#session.session);
  }

  #carryOut(output: Output): void {
    switch (output.type) {
      case "watch":
        void this.#signalling.watch(output.watch).then((reply) => this.tell({ type: "reply", ask: output.ask, reply }));
        return;
      case "send":
        return this.#signalling.send(output.message);
      case "admitted":
        this.#admission = output.admission;
        if (output.admission.resumed) this.#connection?.link.useIceServers(output.admission.ice_servers);
        return this.#events.admitted?.(output.admission);
      case "connect":
        void this.#connect(output, byRobot(output.admission)).link.accept(output.description);
        return;
      case "join":
        void this.#join(output);
        return;
      case "renegotiate":
        void this.#of(output.connection)?.link.accept(output.description);
        return;
      case "answered":
        this.#of(output.connection)
          ?.link.answered(output.description)
          .catch(() => this.#lost(output.connection));
        return;
      case "addCandidate":
        return this.#of(output.connection)?.link.addCandidate(output.candidate);
      case "show":
        return this.#showNext(output.connection);
      case "reattach":
        return this.#pane.reattach();
      case "close":
        if (this.#joining === output.connection) this.#joining = undefined;
        if (this.#former?.id === output.connection) {
          this.#former.link.close();
          this.#former = undefined;
          return;
        }
        if (this.#next?.id === output.connection) {
          this.#next.link.close();
          this.#next = undefined;
          return;
        }
        // Browsers take longer to give up than people do: what is known by now is what there is to say.
        if (this.#connection) this.#why = diagnosisOf(this.#connection.servers, this.#connection.link.gathered);
        this.#connection?.link.close();
        this.#connection = undefined;
        return;
      default:
        output satisfies never;
    }
  }

  /** What a media server's pictures come by may have to be loaded first. */
  async #join(output: Joining): Promise<void> {
    const { connection, admission } = output;
    this.#joining = connection;
    try {
      const { linkMaker } = await import("./engine");
      const make = await linkMaker(admission, byRobot(admission), () => import("./livekit"));
      if (this.#joining === connection && !this.#life.signal.aborted) this.#connect(output, make);
    } catch {
      this.#lost(connection);
    }
  }

  #lost(connection: ConnectionId): void {
    this.tell({ type: "peer", connection, state: "failed" });
  }

  #connect(
    { connection, admission, beside }: Pick<Joining, "connection" | "admission" | "beside">,
    make: Make,
  ): Incoming {
    const events = {
      answer: (description: Description) => this.tell({ type: "answer", connection, description }),
      offer: (description: Description) => this.tell({ type: "offer", connection, description }),
      candidate: (candidate: Candidate) => this.tell({ type: "candidate", connection, candidate }),
      state: (state: RTCPeerConnectionState) => {
        if (state === "connected") void this.#connected(incoming, admission);
        this.tell({ type: "peer", connection, state });
      },
      stream: (received: MediaStream) => {
        // What is shown may have come to be another stream than the one that its tracks came by.
        if (this.#attached === connection) {
          this.#pane.attach(received, true);
          return this.#events.attached?.(incoming.by);
        }
        incoming.stream = received;
        // The last picture of the connection before stays until this one is about to show its own.
        if (incoming !== this.#next && !this.#attached) this.#attach(incoming, admission);
      },
    };
    const incoming = new Incoming(connection, admission, events, make, this.#connection);
    if (beside) this.#next = incoming;
    else this.#connection = incoming;
    this.#prefer(incoming);
    this.#events.connects?.();
    if (!beside) this.#reporter.rest();
    return incoming;
  }

  #of(connection: ConnectionId): Incoming | undefined {
    return [this.#connection, this.#next].find((incoming) => incoming?.id === connection);
  }

  #prefer(incoming: Incoming): void {
    incoming.link.prefer(this.rung, this.#best, this.#admission?.video.rungs.length);
  }

  async #connected(incoming: Incoming, admission: Admission): Promise<void> {
    if (incoming !== this.#next) return this.#attach(incoming, admission);
    const { untilReady } = await import("./engine");
    if (await untilReady(incoming, () => incoming === this.#next && !this.#life.signal.aborted)) {
      this.tell({ type: "ready", connection: incoming.id });
    }
  }

  /** From one frame to the next. */
  #showNext(connection: ConnectionId): void {
    const next = this.#next;
    if (next?.id !== connection || !next.stream) return;
    this.#former = this.#connection;
    this.#connection = next;
    this.#next = undefined;
    this.#attached = connection;
    this.#pane.attach(next.stream, true);
    this.#pane.upright = next.upright;
    this.#reporter.rest();
    this.#events.attached?.(next.by);
  }

  #attach({ id, by, stream, upright }: Incoming, admission: Admission): void {
    // A path that was found again brings what there was.
    if (!stream || this.#attached === id) return;
    this.#attached = id;
    this.#pane.project(admission.video);
    this.#pane.attach(stream);
    this.#pane.upright = upright;
    this.#events.attached?.(by);
  }

  #sample(): void {
    const connection = this.#connection;
    if (!connection) return;
    connection.link.stats().then(
      (report) => {
        const sample = sampleOf(report, performance.now());
        if (!sample || this.#life.signal.aborted) return;
        const toScreen = connection.sampled(sample, { now: performance.now(), origin: performance.timeOrigin });
        const late = typeof toScreen === "number" ? { late: toScreen } : {};
        this.tell({ type: "sample", connection: connection.id, counters: sample.counters, ...late });
        // Where the browser does not tell of shown frames, decoded ones have to stand for them.
        if (connection.goesOn(sample) && !this.#pane.seesFrames)
          this.tell({ type: "frame", connection: connection.id });
        this.#events.sampled?.(sample, { toScreen, soundLag: connection.inStep.lag });
        this.#report(connection.id, sample, toScreen);
      },
      (error: unknown) => console.debug("no statistics", error),
    );
  }

  #report(connection: ConnectionId, sample: Sample, delay: Delay): void {
    const { kind } = this.#session.view(performance.now());
    if ((kind !== "live" && kind !== "late") || !this.#visible || connection !== this.#attached)
      return this.#reporter.rest();
    const reception = this.#reporter.take(sample, delay, this.#admission?.report_every);
    if (reception) this.tell({ type: "reception", connection, reception });
  }
}

type Joining = Extract<Output, { type: "join" }>;

type Make = (events: MediaLinkEvents) => MediaLink;

function byRobot({ ice_servers }: Admission): (events: MediaLinkEvents) => Connection {
  return (events) => new Connection(ice_servers, events);
}

function decodable(): VideoCodec[] {
  return "RTCRtpReceiver" in globalThis ? codecsOf(RTCRtpReceiver.getCapabilities?.("video")) : [];
}
