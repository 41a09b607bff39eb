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
  /** Pictures. */
  moved: number;
}

/** Of what is shown, of the best that is of use, and how many there are. */
export interface Places {
  shown: number;
  best: number;
  count: number;
}

/** A part of what was sent, and not just a packet or two. What is asked for again in time is not lost. */
const LOSSY = 0.05;
const SEVERAL = 3;
/** Less is of no account. */
const CLEAN = 0.01;
const SOME = 2;

/** One bad second is an accident. */
const BAD = 2;

/** After a change, what comes is not judged before so long. */
const SETTLES: Millis = 3000;

/** A better quality is tried after so long without much lost … */
const CALM: Millis = 15_000;
/** … and was too much if it does not come, or goes wrong, within this time: then it is tried half as often. */
const COMES: Millis = 4000;
const TRIED: Millis = 10_000;
const LONGEST: Millis = 300_000;

export class Ladder {
  /** The best that is carried: a place, best first. */
  #place = 0;
  #before: Arrived | undefined;
  #bad = 0;
  #changed: Millis;
  /** Since when not much was lost. */
  #clean: Millis;
  #calm = CALM;
  /** Since when a better one is tried, first to come, and then to stay. */
  #tried: Millis | undefined;

  constructor(now: Millis) {
    this.#changed = now;
    this.#clean = now;
  }

  get place(): number {
    return this.#place;
  }

  /**
   * To be called about once a second. `shown` is the place of what was counted, of so many, and `best` that of the best that is
   * of use: what would not be shown is not tried. Whether another one is better.
   */
  sampled(arrived: Arrived, { shown, best, count }: Places, now: Millis): boolean {
    const isBad = this.#judge(arrived, now);
    if (isBad === undefined) return false;
    this.#bad = isBad ? this.#bad + 1 : 0;
    const isTorn = this.#bad >= BAD;
    if (this.#tried !== undefined && this.#place < shown) {
      // What is shown suffers: no accident, while that comes beside it.
      if (!isBad && now < this.#tried + COMES) return false;
      return this.#failed(shown, now);
    }
    if (isTorn && shown < count - 1) {
      if (this.#tried !== undefined && now < this.#tried + TRIED) return this.#failed(shown + 1, now);
      this.#calm = CALM;
      this.#tried = undefined;
      return this.#go(shown + 1, now);
    }
    if (this.#place > best && now >= Math.max(this.#clean, this.#changed) + this.#calm) {
      this.#tried = now;
      return this.#go(this.#place - 1, now);
    }
    return false;
  }

  /** Something else is shown: what was counted of it before has nothing to do with this. */
  turned(now: Millis): void {
    this.#before = undefined;
    this.#changed = now;
    this.#bad = 0;
    if (this.#tried !== undefined) this.#tried = now;
  }

  /** Whether this second was bad; nothing when there is nothing to be said of it. */
  #judge(arrived: Arrived, now: Millis): boolean | undefined {
    const before = this.#before;
    this.#before = arrived;
    if (!before || now < this.#changed + SETTLES) return undefined;
    const [received, lost] = [arrived.received - before.received, arrived.lost - before.lost];
    // Nothing at all is no sign of a path that carries little.
    if (received <= 0 && lost <= 0) {
      this.#clean = now;
      return undefined;
    }
    const loss = Math.max(0, lost) / (received + Math.max(0, lost));
    const isLossy = loss > LOSSY && lost >= SEVERAL;
    const isBad = isLossy || arrived.freezes > before.freezes || arrived.moved <= before.moved;
    if (isBad || (loss > CLEAN && lost >= SOME)) this.#clean = now;
    return isBad;
  }

  #failed(place: number, now: Millis): true {
    this.#tried = undefined;
    this.#calm = Math.min(2 * this.#calm, LONGEST);
    return this.#go(place, now);
  }

  #go(place: number, now: Millis): true {
    this.#place = place;
    this.#clean = now;
    this.#bad = 0;
    return true;
  }
}
