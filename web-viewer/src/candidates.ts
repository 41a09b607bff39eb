/**
 * Which of the robot's candidates can be tried now, and which wait for an offer that has yet to be taken. Pure.
 *
 * The relay promises no order, so candidates may overtake the offer whose user name fragment they bear. One that bears
 * none is tried at once, and once more with the next offer, as nobody can tell which of the two it was for.
 */
import type { Candidate } from "./protocol.gen";

/** What may wait for its offer; the oldest goes first. */
const MAX_HELD = 64;

export class Candidates {
  #held: Candidate[] = [];
  #fragments: ReadonlySet<string> | undefined;

  /** Whether it can be tried now. */
  take(candidate: Candidate): boolean {
    const fragment = fragmentOf(candidate);
    const now = this.#fragments !== undefined && (fragment === undefined || this.#fragments.has(fragment));
    if (!now || fragment === undefined) this.#held = [...this.#held, candidate].slice(-MAX_HELD);
    return now;
  }

  /** The offer is in place. Returns the candidates that waited for it. */
  offered(sdp: string): Candidate[] {
    const fragments = new Set(Array.from(sdp.matchAll(/^a=ice-ufrag:(\S+)/gm), ([, fragment]) => fragment ?? ""));
    const waits = (candidate: Candidate): boolean => {
      const fragment = fragmentOf(candidate);
      return fragment !== undefined && !fragments.has(fragment);
    };
    const held = this.#held;
    this.#fragments = fragments;
    this.#held = held.filter((candidate) => waits(candidate));
    return held.filter((candidate) => !waits(candidate));
  }
}

function fragmentOf({ candidate, usernameFragment }: Candidate): string | undefined {
  return usernameFragment ?? / ufrag (\S+)/.exec(candidate)?.[1];
}
