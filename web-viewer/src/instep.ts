/** Keeps one connection's sound and picture in step while somebody listens. */
import { captureToEye, type ShownFrame } from "./delay";
import type { MediaLink } from "./media-link";
import { captureToEar, deviceDelay, LipSync, type Played } from "./lipsync";

export class InStep {
  readonly #link: MediaLink;
  readonly #lipSync = new LipSync();
  #played: Played | undefined;
  #deviceDelay = 0;

  constructor(link: MediaLink) {
    this.#link = link;
  }

  /** How many milliseconds later sound is heard than its picture is seen, as far as that is known. */
  get lag(): number | undefined {
    return this.#lipSync.lag;
  }

  sampled(played: Played): void {
    this.#deviceDelay = deviceDelay(played, this.#played);
    this.#played = played;
  }

  /** `shown` is the connection's own last frame, if that is on the screen. */
  keep(shown: ShownFrame | undefined, audible: boolean): void {
    const now = performance.now();
    const clocks = { now, origin: performance.timeOrigin };
    this.#lipSync.listen(audible, now);
    this.#lipSync.observe(
      captureToEye(shown, this.#link.received, now),
      captureToEar(this.#link.receivedSound, this.#deviceDelay, clocks),
      now,
    );
    this.#link.hold(this.#lipSync.hold);
  }
}
