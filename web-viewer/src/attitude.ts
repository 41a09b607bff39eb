/** How the robot leans: what it said of itself lately, and which way was up when a picture was taken. Pure. */
import { NTP_TO_UNIX } from "./delay";
import type { Vec3 } from "./panorama/camera";
import type { Millis } from "./retry";

/** By the robot's clock, in Unix time. */
export interface Reading {
  at: Millis;
  up: Vec3;
}

/** Bytes of a reading: NTP's 32 bits of seconds and 32 of their fraction, and three shares of 32767. */
const LENGTH = 14;
const FRACTIONS = 2 ** 32;
const WHOLE = 32_767;
/** Two seconds of two in every message, thirty times a second. */
const REMEMBERED = 120;
/** A robot says four times a second how it leans, while it knows; some of it gets lost. */
const KNOWN_FOR: Millis = 2500;

/** Nothing of what is no reading. */
export function readingsOf(message: ArrayBuffer): Reading[] {
  const view = new DataView(message);
  const starts = Array.from({ length: Math.floor(view.byteLength / LENGTH) }, (_, index) => index * LENGTH);
  return starts.map((start) => {
    const seconds = view.getUint32(start) + view.getUint32(start + 4) / FRACTIONS;
    const share = (place: number): number => view.getInt16(start + 8 + 2 * place) / WHOLE;
    return { at: seconds * 1000 - NTP_TO_UNIX, up: [share(0), share(1), share(2)] };
  });
}

export class Attitude {
  #readings: Reading[] = [];
  #heard: Millis = -Infinity;

  heard(message: ArrayBuffer, now: Millis): void {
    const readings = readingsOf(message);
    if (readings.length === 0) return;
    this.#heard = now;
    // They may overtake each other.
    const all = [...this.#readings, ...readings].toSorted((a, b) => a.at - b.at);
    // What was said by a clock that has been set since is of no time that is still to come.
    const latest = readings.at(-1)?.at ?? Infinity;
    this.#readings = all.filter(({ at }) => Math.abs(at - latest) < KNOWN_FOR * 4).slice(-REMEMBERED);
  }

  /** Which way was up when that picture was taken, as far as is known by now; of one without a date, when the last was. */
  up(captured: Millis | undefined, now: Millis): Vec3 | undefined {
    if (now - this.#heard > KNOWN_FOR) return undefined;
    const later = captured === undefined ? -1 : this.#readings.findIndex(({ at }) => at >= captured);
    const [before, after] = [this.#readings.at(later - 1), this.#readings[later]];
    // A robot turns on, but nobody knows how.
    if (captured === undefined || !after) return this.#readings.at(-1)?.up;
    return later === 0 || !before ? after.up : between(before, after, captured);
  }
}

function between(before: Reading, after: Reading, captured: Millis): Vec3 {
  const span = after.at - before.at;
  const share = span > 0 ? (captured - before.at) / span : 1;
  const mixed = (place: 0 | 1 | 2): number => before.up[place] + share * (after.up[place] - before.up[place]);
  return [mixed(0), mixed(1), mixed(2)];
}
