/**
 * The network path under one connection: when it broke, when to ask the robot for another (an ICE restart), and when
 * that has been in vain. Pure.
 *
 * An incident begins when the path breaks or the device changes its network, and ends when media arrives again.
 */
import type { Millis } from "./retry";

/** ICE often finds back by itself within this time, and seldom after it. */
const DISCONNECTED: Millis = 2000;
/** A restart that helps does so within a few round trips to the robot, by way of the server. */
const AGAIN_AFTER: Millis = 5000;
const MAX_RESTARTS = 3;
/** A device that changes its network may say so in more than one way. */
const SAME_CHANGE: Millis = 1000;

/** - `restart`: ask for another path now. - `renew`: no path was found. */
export type PathVerdict = "fine" | "restart" | "renew";

export class Path {
  #disconnectedAt: Millis | undefined;
  #changedAt: Millis | undefined;
  #incident: { restarts: number; dueAt: Millis } | undefined;

  /** Whether missing media is explained by the path. */
  get troubled(): boolean {
    return this.#disconnectedAt !== undefined || this.#incident !== undefined;
  }

  /** Whether another path is being looked for, or about to be. */
  get mending(): boolean {
    return this.#incident !== undefined;
  }

  /** Returns whether that ends a trouble. States between these two say nothing: a restart passes through them. */
  stateChanged(state: RTCPeerConnectionState, now: Millis): boolean {
    if (state === "disconnected") this.#disconnectedAt ??= now;
    if (state !== "connected") return false;
    const ended = this.troubled;
    this.#disconnectedAt = undefined;
    this.#incident = undefined;
    return ended;
  }

  /** The device has another network, or one again. */
  networkChanged(now: Millis): void {
    if (this.#changedAt !== undefined && now - this.#changedAt < SAME_CHANGE) return;
    this.#changedAt = now;
    this.#incident = { restarts: 0, dueAt: now };
  }

  /** Media arrived, whatever ICE thinks. Returns whether that ends an incident. */
  arrived(now: Millis): boolean {
    if (this.#disconnectedAt !== undefined) this.#disconnectedAt = now;
    const ended = this.#incident !== undefined;
    this.#incident = undefined;
    return ended;
  }

  verdict(now: Millis): PathVerdict {
    if (!this.#incident && this.#disconnectedAt !== undefined && now - this.#disconnectedAt >= DISCONNECTED) {
      this.#incident = { restarts: 0, dueAt: now };
    }
    if (!this.#incident || now < this.#incident.dueAt) return "fine";
    return this.#incident.restarts < MAX_RESTARTS ? "restart" : "renew";
  }

  /** A restart has been asked for. */
  asked(now: Millis): void {
    if (this.#incident) this.#incident = { restarts: this.#incident.restarts + 1, dueAt: now + AGAIN_AFTER };
  }

  /** What was last asked for may not have left this device: it has to be said again. */
  unasked(now: Millis): void {
    if (this.#incident) this.#incident = { restarts: Math.max(0, this.#incident.restarts - 1), dueAt: now };
  }
}
