/** Looking around by turning the device. */
import { element } from "./dom";
import type { Picture } from "./picture";
import { t } from "./text";
import { tiltOf, type Tilt } from "./tilt";

/** iPhones tell how they are held only after they have asked. */
interface Asking {
  requestPermission?(): Promise<"granted" | "denied">;
}

/** A device that says how it is held says so many times a second. */
const SAYS_WITHIN = 1000;

export class Gyro {
  readonly #picture: Picture;
  readonly #explain: (text: string) => void;
  readonly #button = element("gyro", HTMLButtonElement);
  #life: AbortController | undefined;
  #before: Tilt | undefined;

  constructor(picture: Picture, explain: (text: string) => void) {
    this.#picture = picture;
    this.#explain = explain;
    // Desks are not held in the hand.
    this.#button.hidden = !matchMedia("(pointer: coarse)").matches;
  }

  async toggle(): Promise<void> {
    if (this.#life) return this.close();
    if (!("DeviceOrientationEvent" in globalThis)) {
      return this.#explain(t("This device does not say how it is held: pages that are not https are not told."));
    }
    const asking: typeof DeviceOrientationEvent & Asking = DeviceOrientationEvent;
    const answer = await asking.requestPermission?.().catch(() => "denied");
    if (answer === "denied") return this.#explain(t("The device was not allowed to say how it is held."));
    this.#life = new AbortController();
    this.#button.ariaPressed = "true";
    const { signal } = this.#life;
    addEventListener("deviceorientation", (event) => this.#turn(event), { signal });
    setTimeout(() => {
      if (!signal.aborted && !this.#before) this.#giveUp();
    }, SAYS_WITHIN);
  }

  close(): void {
    this.#life?.abort();
    this.#life = undefined;
    this.#before = undefined;
    this.#button.ariaPressed = "false";
    this.#picture.look = { ...this.#picture.look, roll: 0 };
  }

  #giveUp(): void {
    this.close();
    this.#explain(t("This device does not say how it is held: pages that are not https are not told."));
  }

  #turn({ alpha, beta, gamma }: DeviceOrientationEvent): void {
    if (alpha === null || beta === null || gamma === null) return;
    const tilt = tiltOf({ alpha, beta, gamma }, angle());
    const { look } = this.#picture;
    // Up and down are what they are. Where ahead lies is for whoever drags to say.
    const yaw = look.yaw + (this.#before ? tilt.yaw - this.#before.yaw : 0);
    this.#before = tilt;
    this.#picture.look = look.eye === "planet" ? { ...look, yaw } : { ...look, ...tilt, yaw };
  }
}

/** How the page is turned on the device. iPhones before iOS 16.4 say it only by the older name. */
function angle(): number {
  const { orientation } = globalThis as { orientation?: number };
  return screen.orientation?.angle ?? orientation ?? 0;
}
