/** Brings together, for one page, what knows nothing of each other: signalling, session, connection and picture. */
import { Cameras } from "./cameras";
import { Connection } from "./connection";
import { Controls } from "./controls";
import { captureToScreen, type Delay } from "./delay";
import { element } from "./dom";
import { InStep } from "./instep";
import { onNetworkChange } from "./network";
import { Picture } from "./picture";
import type { Admission, LiveRobot, VideoCodec } from "./protocol.gen";
import { Quality } from "./quality";
import { liveRobots } from "./robots";
import { routeOf, watchPath, type Route } from "./route";
import { Session } from "./session";
import { Signalling } from "./signalling";
import { sampleOf, StatsPanel } from "./stats";
import { Status } from "./status";
import type { ConnectionId, Input, Output } from "./steps";
import { codecsOf } from "./wishes";

/** Fine enough to see within a blink that a picture stands still. */
const TICK = 250;
const SAMPLE = 1000;

export class Viewer {
  readonly #route: Exclude<Route, { page: "home" }>;
  readonly #session: Session;
  readonly #signalling: Signalling;
  readonly #picture = new Picture({
    frame: () => this.#tell({ type: "frame", connection: this.#attached }),
    flattened: () => this.#status.explain("This browser has no WebGL: the 360° picture is shown flat."),
  });
  readonly #controls: Controls;
  readonly #cameras: Cameras;
  readonly #quality: Quality;
  readonly #status = new Status();
  readonly #stats = new StatsPanel();
  readonly #life = new AbortController();
  readonly #timers: number[];
  #connection: { id: ConnectionId; link: Connection; decoded: number; inStep: InStep } | undefined;
  /** The connection whose stream the picture shows. */
  #attached: ConnectionId = 0;
  #admission: Admission | undefined;
  #visible = true;

  constructor(route: Exclude<Route, { page: "home" }>) {
    this.#route = route;
    this.#session = new Session(route.target, performance.now(), { codecs: decodable });
    this.#signalling = new Signalling({
      link: (up) => this.#tell({ type: "link", up }),
      message: (message) => this.#tell({ type: "message", message }),
      turnedAway: (notice) => this.#tell({ type: "turnedAway", notice }),
    });
    this.#controls = new Controls(this.#picture, route.page === "embed", () => this.#stats.toggle());
    this.#cameras = new Cameras(route.page, (camera) => this.#switchTo(camera));
    this.#cameras.show(route.target.robot, route.target.camera, []);

    const { signal } = this.#life;
    this.#quality = new Quality((rung) => this.#tell({ type: "want", ...(rung !== undefined && { rung }) }), signal);
    element("retry", HTMLButtonElement).addEventListener("click", () => this.#tell({ type: "retry" }), { signal });
    onNetworkChange(() => this.#tell({ type: "networkChanged" }), signal);
    addEventListener("popstate", () => this.#retarget(), { signal });
    document.addEventListener("visibilitychange", () => this.#tick(), { signal });
    this.#picture.video.addEventListener("volumechange", () => this.#keepInStep(), { signal });
    this.#timers = [setInterval(() => this.#tick(), TICK), setInterval(() => this.#sample(), SAMPLE)];
    this.#show();
  }

  close(): void {
    this.#life.abort();
    for (const timer of this.#timers) clearInterval(timer);
    this.#signalling.close();
    this.#connection?.link.close();
    this.#controls.close();
    this.#picture.close();
  }

  #tick(): void {
    const visible = this.#picture.canShow;
    if (visible !== this.#visible) this.#tell({ type: "visible", visible });
    this.#visible = visible;
    this.#tell({ type: "tick" });
    this.#keepInStep();
  }

  #keepInStep(): void {
    const { video, shown } = this.#picture;
    const own = this.#connection?.id === this.#attached;
    this.#connection?.inStep.keep(own ? shown : undefined, !video.muted);
  }

  #tell(input: Input): void {
    this.#session.handle(input, performance.now());
    for (const output of this.#session.takeOutputs()) this.#carryOut(output);
    this.#show();
  }

  #show(): void {
    this.#status.show(this.#session.view(performance.now()), this.#session.session);
  }

  #carryOut(output: Output): void {
    switch (output.type) {
      case "watch":
        void this.#signalling
          .watch(output.watch)
          .then((reply) => this.#tell({ type: "reply", ask: output.ask, reply }));
        return;
      case "send":
        return this.#signalling.send(output.message);
      case "admitted":
        return this.#admitted(output.admission);
      case "connect":
        return this.#connect(output);
      case "renegotiate":
        void this.#connection?.link.accept(output.description);
        return;
      case "addCandidate":
        return this.#connection?.link.addCandidate(output.candidate);
      case "reattach":
        return this.#picture.reattach();
      case "close":
        this.#connection?.link.close();
        this.#connection = undefined;
        return;
      default:
        output satisfies never;
    }
  }

  #connect({ connection, admission, description }: Extract<Output, { type: "connect" }>): void {
    let stream: MediaStream | undefined;
    const link = new Connection(admission.ice_servers, {
      answer: (answer) => this.#tell({ type: "answer", connection, description: answer }),
      candidate: (candidate) => this.#tell({ type: "candidate", connection, candidate }),
      state: (state) => {
        if (state === "connected") this.#attach(connection, admission, stream);
        this.#tell({ type: "peer", connection, state });
      },
      stream: (received) => {
        stream = received;
        // The last picture of the connection before stays until this one is about to show its own.
        if (this.#attached === 0 || this.#attached === connection) this.#attach(connection, admission, stream);
      },
    });
    this.#connection = { id: connection, link, decoded: 0, inStep: new InStep(link) };
    this.#stats.reset();
    void link.accept(description);
  }

  #attach(connection: ConnectionId, admission: Admission, stream: MediaStream | undefined): void {
    if (!stream) return;
    this.#attached = connection;
    this.#status.explain("");
    this.#picture.project(admission.video);
    this.#picture.attach(stream);
  }

  #admitted(admission: Admission): void {
    this.#admission = admission;
    if (admission.resumed) this.#connection?.link.useIceServers(admission.ice_servers);
    // The cameras of a session that goes on are known.
    else this.#cameras.show(admission.robot, admission.camera, []);
    this.#quality.show(admission.video.rungs, this.#session.rung);
    void liveRobots(this.#life.signal).then((robots) => this.#showCameras(robots));
  }

  #showCameras(robots: LiveRobot[] | undefined): void {
    const robot = robots?.find((live) => live.robot === this.#admission?.robot);
    if (robot) this.#cameras.show(robot.robot, this.#admission?.camera, robot.cameras);
  }

  #switchTo(camera: string): void {
    const robot = this.#admission?.robot ?? this.#route.target.robot;
    if (robot === undefined) return;
    history.pushState(null, "", watchPath(robot, camera, this.#route.page));
    this.#retarget();
  }

  #retarget(): void {
    const route = routeOf(location.pathname);
    if (route.page === "home") return;
    // What another camera has to choose from is not known yet.
    this.#quality.show([], undefined);
    this.#tell({ type: "target", target: route.target });
  }

  #sample(): void {
    const connection = this.#connection;
    if (!connection) return;
    connection.link.stats().then(
      (report) => {
        const sample = sampleOf(report, performance.now());
        if (!sample || this.#life.signal.aborted) return;
        this.#tell({ type: "sample", connection: connection.id, counters: sample.counters });
        // Where the browser does not tell of shown frames, decoded ones have to stand for them.
        const more = sample.counters.decoded > connection.decoded;
        connection.decoded = sample.counters.decoded;
        if (more && !this.#picture.seesFrames) this.#tell({ type: "frame", connection: connection.id });
        connection.inStep.sampled(sample.played);
        this.#stats.show(sample, { toScreen: this.#delay(connection), soundLag: connection.inStep.lag });
      },
      (error: unknown) => console.debug("no statistics", error),
    );
  }

  #delay({ id, link }: { id: ConnectionId; link: Connection }): Delay {
    const { shown } = this.#picture;
    // What is on the screen may still be of the connection before.
    if (!shown || id !== this.#attached) return undefined;
    return captureToScreen(shown, link.received, { now: performance.now(), wall: Date.now() });
  }
}

function decodable(): VideoCodec[] {
  return "RTCRtpReceiver" in globalThis ? codecsOf(RTCRtpReceiver.getCapabilities?.("video")) : [];
}
