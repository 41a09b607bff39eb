/** Whether one connection's media arrives, decodes and is shown. Pure: fed with counters, frames and the time. */
import type { Millis } from "./retry";

/** The counters of an inbound video stream. */
export interface Counters {
  bytes: number;
  decoded: number;
}

/**
 * - `reattach`: give the element a new stream of the same track.
 * - `restart`: the path broke, and another is worth asking for.
 * - `renew`: this connection is not worth keeping.
 */
export type Verdict = "fine" | "reattach" | "restart" | "renew";

/** Media this fresh counts as flowing. Counters come once a second, so one may be late. */
const FRESH: Millis = 3000;
/** ICE, DTLS and the first keyframe may take this long on a bad network. */
const FIRST_BYTES: Millis = 10_000;
const SILENCE: Millis = 4000;
const FREEZE: Millis = 3000;

export class Liveness {
  #last: Counters = { bytes: 0, decoded: 0 };
  #since: Millis;
  #bytesAt: Millis | undefined;
  #decodedAt: Millis | undefined;
  #shownAt: Millis | undefined;
  #reattachedAt: Millis | undefined;

  constructor(now: Millis) {
    this.#since = now;
  }

  /** Whether any media has ever arrived. */
  get began(): boolean {
    return this.#bytesAt !== undefined;
  }

  /** Returns whether media arrived since the sample before. */
  sample(counters: Counters, now: Millis): boolean {
    const arrived = counters.bytes > this.#last.bytes;
    if (arrived) {
      // The freeze clock starts with the first bytes, not with the connection.
      this.#decodedAt ??= now;
      this.#bytesAt = now;
    }
    if (counters.decoded > this.#last.decoded) this.#decodedAt = now;
    this.#last = counters;
    return arrived;
  }

  frame(now: Millis): void {
    this.#shownAt = now;
    this.#bytesAt = now;
    this.#decodedAt = now;
    this.#reattachedAt = undefined;
  }

  /** Starts all clocks anew after a time in which nobody counted, such as in a hidden tab. */
  rebase(now: Millis): void {
    this.#since = now;
    if (this.#bytesAt !== undefined) this.#bytesAt = now;
    if (this.#decodedAt !== undefined) this.#decodedAt = now;
  }

  flows(now: Millis): boolean {
    return this.#bytesAt !== undefined && now - this.#bytesAt < FRESH;
  }

  /** Time since a frame was last shown; nothing before the first. */
  age(now: Millis): Millis | undefined {
    return this.#shownAt === undefined ? undefined : now - this.#shownAt;
  }

  verdict(now: Millis): Verdict {
    if (this.#bytesAt === undefined) return now - this.#since > FIRST_BYTES ? "renew" : "fine";
    if (now - this.#bytesAt > SILENCE) return "renew";
    const decodedAt = this.#decodedAt ?? this.#bytesAt;
    if (this.#reattachedAt !== undefined) {
      if (decodedAt > this.#reattachedAt) this.#reattachedAt = undefined;
      else return now - this.#reattachedAt > FREEZE ? "renew" : "fine";
    }
    if (now - decodedAt <= FREEZE) return "fine";
    this.#reattachedAt = now;
    return "reattach";
  }
}
