/** A small picture of what a robot sees about now. */
import type { RobotId } from "./protocol.gen";

/** One costs its robot as much as a second of video: it is asked for seldom. */
const EVERY = 20_000;
/** What is older than this is no picture of now. */
const STALE = 60_000;

export class Thumbnail {
  readonly image = new Image();
  readonly #of: string;
  #askedAt = -Infinity;
  #loadedAt = -Infinity;

  constructor(robot: RobotId) {
    this.#of = `/api/v1/robots/${encodeURIComponent(robot)}/snapshot.jpg`;
    // The robot's name beside it says what it is.
    this.image.alt = "";
    this.image.hidden = true;
  }

  /** Asks for a newer one when it is time. The old one stays until that is there, or it is too old. */
  renew(now: number): void {
    if (now - this.#loadedAt > STALE) this.image.hidden = true;
    if (now - this.#askedAt < EVERY) return;
    this.#askedAt = now;
    const next = new Image();
    next.addEventListener("load", () => {
      this.#loadedAt = now;
      this.image.src = next.src;
      this.image.hidden = false;
    });
    next.src = `${this.#of}?${Math.floor(now)}`;
  }
}
