/**
 * Asking to be let in: which question is open, when an offer is overdue, when to ask again. Pure.
 *
 * At any time at most one of these holds: a question is open, an offer is awaited, a retry is planned.
 */
import { Negotiation } from "./negotiation";
import type { Admission, Notice } from "./protocol.gen";
import { backoff, later, remedy, type Millis } from "./retry";

/** A robot that was told of us offers within a round trip; one that hangs never does. */
const OFFER_WITHIN: Millis = 6000;
/** Attempts without a picture after which the page says so. It goes on trying. */
const FAILED_AFTER = 3;

type Wait = { kind: "none" } | { kind: "reply"; ask: number } | { kind: "offer" | "retry"; at: Millis };

export class Admittance {
  readonly negotiation = new Negotiation();
  readonly #random: () => number;
  #wait: Wait = { kind: "none" };
  #asks = 0;
  #failures = 0;
  #problem: Notice | undefined;
  #stopped = false;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Whether something is under way that may lead to a new session. */
  get pending(): boolean {
    return this.#wait.kind !== "none";
  }

  /** Whether the next question waits for its time. */
  get planned(): boolean {
    return this.#wait.kind === "retry";
  }

  /** Why we are not let in; nothing when we are, or nobody has said. */
  get problem(): Notice | undefined {
    return this.#problem;
  }

  /** The refusal is one that only a person can change. */
  get stopped(): boolean {
    return this.#stopped;
  }

  get failing(): boolean {
    return this.#failures >= FAILED_AFTER;
  }

  /** Opens a question and returns its number. */
  ask(): number {
    this.#asks += 1;
    this.#wait = { kind: "reply", ask: this.#asks };
    this.negotiation.ask();
    return this.#asks;
  }

  /** Whether the reply is to the question that is open. */
  expects(ask: number): boolean {
    return this.#wait.kind === "reply" && this.#wait.ask === ask;
  }

  admitted(admission: Admission, now: Millis): void {
    this.#problem = undefined;
    this.#wait = admission.resumed ? { kind: "none" } : { kind: "offer", at: now + OFFER_WITHIN };
  }

  offered(): void {
    this.#wait = { kind: "none" };
  }

  refused(notice: Notice, now: Millis): void {
    const cure = remedy(notice.code);
    switch (cure) {
      case "wait":
      case "later":
        this.#problem = notice;
        return this.#plan(now + later(this.#random));
      case "again":
        return this.again(now);
      case "mend":
      case "stop":
        this.#problem = notice;
        this.#stopped = true;
        return this.rest();
      default:
        return cure satisfies never;
    }
  }

  /** There is a picture. */
  succeeded(): void {
    this.#failures = 0;
  }

  /** The server is away: what it said of the robot, and of others, may not be so any more. What it said of itself is. */
  unlinked(): void {
    this.rest();
    if (!this.#stopped && this.#problem?.code !== "draining") this.#problem = undefined;
  }

  /** Starts over, as if nothing had been refused or had failed. */
  forget(): void {
    this.#failures = 0;
    this.#problem = undefined;
    this.#stopped = false;
  }

  /** The attempt failed; the next one comes soon. */
  again(now: Millis): void {
    this.#failures += 1;
    this.#plan(now + backoff(this.#failures, this.#random));
  }

  rest(): void {
    this.#wait = { kind: "none" };
    this.negotiation.rest();
  }

  overdue(now: Millis): "offer" | "retry" | undefined {
    const wait = this.#wait;
    return (wait.kind === "offer" || wait.kind === "retry") && now >= wait.at ? wait.kind : undefined;
  }

  #plan(at: Millis): void {
    this.rest();
    this.#wait = { kind: "retry", at };
  }
}
