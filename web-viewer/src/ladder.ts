/**
 * Which of a picture's qualities a path carries, as what arrives by it shows: where a media server passes on what it is told to,
 * nobody but this page can know. Pure.
 */
import type { Millis } from "./retry";

/** What has been counted of the picture that is shown. */
export interface Arrived {
  received: number;
  lost: number;
  freezes: number;
}

/** A part of what was sent. Less than this is sent again, and nobody sees it. */
const LOSSY = 0.05;
const CLEAN = 0.01;

/** One bad second is an accident. */
const BAD = 2;

/** After a change, what comes is not judged before so long. */
const SETTLES: Millis = 3000;

/** A better quality is tried after so long without anything lost … */
const CALM: Millis = 15_000;
/** … and was too much if it goes wrong within this time: then it is tried half as often. */
const TRIED: Millis = 10_000;
const LONGEST: Millis = 300_000;

export class Ladder {
  /** The best that is carried: a place, best first. */
  #place = 0;
  #before: Arrived | undefined;
  #bad = 0;
  #changed: Millis;
  /** Since when nothing was lost. */
  #clean: Millis;
  #calm = CALM;
  /** When a better one was tried last. */
  #tried: Millis | undefined;

  constructor(now: Millis) {
    this.#changed = now;
    this.#clean = now;
  }

  get place(): number {
    return this.#place;
  }

  /** To be called about once a second. `shown` is the place of what was counted, of so many. Whether another one is better. */
  sampled(arrived: Arrived, shown: number, count: number, now: Millis): boolean {
    const before = this.#before;
    this.#before = arrived;
    if (!before || now < this.#changed + SETTLES) return false;
    const [received, lost] = [arrived.received - before.received, arrived.lost - before.lost];
    const loss = received + lost > 0 ? Math.max(0, lost) / (received + lost) : 0;
    const isBad = loss > LOSSY || arrived.freezes > before.freezes;
    this.#bad = isBad ? this.#bad + 1 : 0;
    if (isBad || loss > CLEAN) this.#clean = now;
    if (this.#bad >= BAD && shown < count - 1) {
      const wasTried = this.#tried !== undefined && now < this.#tried + TRIED;
      this.#calm = wasTried ? Math.min(2 * this.#calm, LONGEST) : CALM;
      this.#tried = undefined;
      return this.#change(shown + 1, now);
    }
    if (this.#place > 0 && now >= Math.max(this.#clean, this.#changed) + this.#calm) {
      this.#tried = now;
      return this.#change(this.#place - 1, now);
    }
    return false;
  }

  /** Something else is shown: what was counted of it before has nothing to do with this. */
  turned(now: Millis): void {
    this.#before = undefined;
    this.#changed = now;
    this.#bad = 0;
  }

  #change(place: number, now: Millis): true {
    this.#place = place;
    this.turned(now);
    this.#clean = now;
    return true;
  }
}
