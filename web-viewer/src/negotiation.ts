/**
 * Knows which session an offer or candidate must belong to, and keeps those that come before their time. Pure.
 *
 * The relay promises no order between a reply and what the robot says, nor between an offer and its candidates.
 */
import type { Admission, SessionRef, ToViewer } from "./protocol.gen";

export type Negotiable = Extract<ToViewer, ["offer" | "candidate", ...unknown[]]>;

/** What may wait for its time. */
const MAX_EARLY = 64;

type Phase =
  | { kind: "idle" }
  | { kind: "asked" }
  | { kind: "admitted"; admission: Admission }
  | { kind: "offered"; admission: Admission };

export class Negotiation {
  #phase: Phase = { kind: "idle" };
  #early: Negotiable[] = [];

  get admission(): Admission | undefined {
    return "admission" in this.#phase ? this.#phase.admission : undefined;
  }

  ask(): void {
    this.#enter({ kind: "asked" });
    this.#early = [];
  }

  /** Nobody is asked any more, and no offer is expected. */
  rest(): void {
    this.#enter({ kind: "idle" });
    this.#early = [];
  }

  /** Returns what came too early and may be taken now. */
  admit(admission: Admission): Negotiable[] {
    this.#enter({ kind: admission.resumed ? "offered" : "admitted", admission });
    return this.#early.splice(0);
  }

  /** The offer was taken. Returns the candidates that waited for it. */
  offered(): Negotiable[] {
    if (this.#phase.kind === "admitted") this.#enter({ kind: "offered", admission: this.#phase.admission });
    return this.#early.splice(0);
  }

  /** The admission under which the message may be taken now; without one it was kept for later or dropped. */
  take(message: Negotiable): Admission | undefined {
    const phase = this.#phase;
    switch (phase.kind) {
      case "idle":
        return undefined;
      case "asked":
        this.#keep(message);
        return undefined;
      case "admitted":
        if (!belongs(message, phase.admission)) return undefined;
        if (message[0] === "offer") return phase.admission;
        this.#keep(message);
        return undefined;
      case "offered":
        return belongs(message, phase.admission) ? phase.admission : undefined;
      default:
        return phase satisfies never;
    }
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
  }

  #keep(message: Negotiable): void {
    if (this.#early.length < MAX_EARLY) this.#early.push(message);
  }
}

/** A broadcaster page of the family names no session: what it sends is for the one that was admitted. */
function belongs(message: Negotiable, admission: Admission): boolean {
  const about: SessionRef | null | undefined = message[3];
  return (about?.session ?? admission.session) === admission.session;
}
