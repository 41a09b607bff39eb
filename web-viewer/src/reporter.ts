/** What the server is told of the picture, as often as it wants to know. Pure. */
import type { Delay } from "./delay";
import type { Reception } from "./protocol.gen";
import type { Sample } from "./stats";

/** Samples come once a second: what is due within half of that is due. */
const SOON = 0.5;

export class Reporter {
  /** What was counted by the last report. */
  #before: Sample | undefined;

  /** What to say now, if it is time; `every` is in seconds, absent when the server wants to know nothing. */
  take(sample: Sample, delay: Delay, every: number | undefined): Reception | undefined {
    const before = this.#before ?? sample;
    const seconds = (sample.at - before.at) / 1000;
    const due = every !== undefined && seconds > 0 && seconds + SOON >= every;
    if (due || before === sample) this.#before = sample;
    if (!due) return undefined;
    return {
      fps: (sample.counters.decoded - before.counters.decoded) / seconds,
      bitrate: ((sample.counters.bytes - before.counters.bytes) * 8) / seconds,
      ...(typeof delay === "number" && { delay }),
      freezes: sample.freezes ?? 0,
      relayed: sample.relayed,
    };
  }

  /** Nothing is shown: what comes afterwards is counted anew. */
  rest(): void {
    this.#before = undefined;
  }
}
