/** How long one connection's pictures take from capture to the screen: what it has shown lately, by clocks that may differ. Pure. */
import { captureToScreen, type Clocks, type Delay, type ReceivedFrame, type ShownFrame } from "./delay";
import { Offset, type Report } from "./offset";

/** Two seconds of the fastest screens. */
const REMEMBERED = 240;

export class Latency {
  readonly #offset = new Offset();
  #frames: ShownFrame[] = [];

  shown(frame: ShownFrame): void {
    this.#frames.push(frame);
    if (this.#frames.length > REMEMBERED) this.#frames.shift();
  }

  sampled(report: Report | undefined, received: ReceivedFrame | undefined, clocks: Clocks): Delay {
    this.#offset.observe(report, received, clocks);
    return captureToScreen(this.#frames, received, this.#offset.value, clocks);
  }
}
