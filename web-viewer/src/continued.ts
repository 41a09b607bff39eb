/** What is counted of a picture goes on where another track takes over. Pure. */

/** Of what browsers tell of one that arrives, what is counted from its beginning. */
const COUNTERS = [
  "bytesReceived",
  "packetsReceived",
  "packetsLost",
  "framesDecoded",
  "framesDropped",
  "keyFramesDecoded",
  "freezeCount",
  "nackCount",
  "pliCount",
  "jitterBufferDelay",
  "jitterBufferEmittedCount",
  "totalDecodeTime",
];

export class Continued {
  /** What there is more of than of the track that is shown. */
  #more: Record<string, number> | undefined = {};
  #last: Record<string, number> = {};

  /** An entry as it would be if there had been but one track. */
  counted(entry: Record<string, unknown>): Record<string, unknown> {
    const counts = COUNTERS.flatMap((name) => {
      const value = entry[name];
      return typeof value === "number" ? [[name, value] as const] : [];
    });
    this.#more ??= Object.fromEntries(counts.map(([name, value]) => [name, (this.#last[name] ?? 0) - value]));
    for (const [name, value] of counts) this.#last[name] = value + (this.#more[name] ?? 0);
    return { ...entry, ...this.#last };
  }

  /** Entries are of another track from now on, one that may have been shown before. */
  next(): void {
    this.#more = undefined;
  }
}
