/** How far the robot's clock is from the page's, by the reports that come with its picture (RFC 3550, 6.4.1). Pure. */
import { VIDEO_TICKS_PER_MS, type Clocks, type ReceivedFrame } from "./delay";
import type { Millis } from "./retry";

/** When a report left, by the robot's clock, and came, by the page's; and what a round trip took lately. */
export interface Report {
  left: Millis;
  came: Millis;
  roundTrip: Millis;
}

/** Reports come once a second, and clocks drift apart by a millisecond or two meanwhile. */
const REMEMBERED = 30;
/** Pictures are dated more evenly than this, unless the clock is set. */
const SET: Millis = 150;
/** What came longer ago than that was not said by this page's clock. */
const JUST_NOW: Millis = 5000;

export class Offset {
  #reports: Report[] = [];
  #heard: Millis | undefined;
  #frame: ReceivedFrame | undefined;
  /** What came before says nothing of the robot's clock as it is now. */
  #since: Millis = -Infinity;

  /**
   * What the robot's clock shows more than the page's; nothing while that is unknown.
   *
   * The fastest report took half of the fastest round trip. Where the ways there and back differ that is wrong, at worst by
   * this half.
   */
  get value(): Millis | undefined {
    if (this.#reports.length === 0) return undefined;
    const ahead = Math.max(...this.#reports.map(({ left, came }) => left - came));
    return ahead + Math.min(...this.#reports.map(({ roundTrip }) => roundTrip)) / 2;
  }

  /** `report` may be the same as the last time. */
  observe(report: Report | undefined, frame: ReceivedFrame | undefined, { now, origin }: Clocks): void {
    if (this.#wasSet(frame)) {
      this.#reports = [];
      this.#since = origin + now;
    }
    if (!report || report.left === this.#heard) return;
    this.#heard = report.left;
    if (report.came <= this.#since || Math.abs(origin + now - report.came) > JUST_NOW) return;
    this.#reports = [...this.#reports.slice(1 - REMEMBERED), report];
  }

  /** Pictures bear two dates: by the clock, and by what goes on whatever happens to that. */
  #wasSet(frame: ReceivedFrame | undefined): boolean {
    if (frame?.captureTimestamp === undefined) return false;
    const before = this.#frame;
    this.#frame = frame;
    if (before?.captureTimestamp === undefined) return false;
    const ticks = (frame.rtpTimestamp - before.rtpTimestamp) | 0;
    return Math.abs(frame.captureTimestamp - before.captureTimestamp - ticks / VIDEO_TICKS_PER_MS) > SET;
  }
}
