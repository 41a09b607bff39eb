/** One connection to the robot, and what is known of all that comes by it. */
import { Attitude } from "./attitude";
import { capturedByPackets, type Clocks, type Delay } from "./delay";
import { InStep } from "./instep";
import { Latency } from "./latency";
import type { MediaLink, MediaLinkEvents } from "./media-link";
import type { Upright } from "./pane";
import type { Admission, IceServer, MediaKind, RobotId } from "./protocol.gen";
import type { Sample } from "./stats";
import type { ConnectionId } from "./steps";

export class Incoming {
  readonly id: ConnectionId;
  readonly servers: IceServer[];
  /** Which way its pictures come. */
  readonly by: "p2p" | MediaKind;
  readonly link: MediaLink;
  readonly inStep: InStep;
  readonly latency = new Latency();
  stream: MediaStream | undefined;
  readonly #robot: RobotId;
  readonly #attitude: Attitude;
  #decoded = 0;

  constructor(
    id: ConnectionId,
    { ice_servers, media, robot }: Pick<Admission, "ice_servers" | "media" | "robot">,
    events: Omit<MediaLinkEvents, "attitude">,
    make: (events: MediaLinkEvents) => MediaLink,
    before: Incoming | undefined,
  ) {
    this.id = id;
    this.#robot = robot;
    // It leans as it does, whichever way that is told, if it is told.
    this.#attitude = before && before.#robot === robot && media !== "whep" ? before.#attitude : new Attitude();
    this.servers = ice_servers;
    this.by = typeof media === "object" ? "livekit" : media;
    const attitude = (message: ArrayBuffer): void => this.#attitude.heard(message, performance.now());
    this.link = make({ ...events, attitude });
    this.inStep = new InStep(this.link);
  }

  readonly upright: Upright = (shown) =>
    this.#attitude.up(capturedByPackets(shown, this.link.received), performance.now());

  /** How long its pictures take to the screen. */
  sampled(sample: Sample, clocks: Clocks): Delay {
    this.inStep.sampled(sample.played);
    return this.latency.sampled(sample.report, this.link.received, clocks);
  }

  /** Whether more has been decoded than by the sample before. */
  goesOn({ counters }: Sample): boolean {
    const more = counters.decoded > this.#decoded;
    this.#decoded = counters.decoded;
    return more;
  }
}
