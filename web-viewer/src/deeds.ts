/** What buttons and keys ask for besides looking around: each is done by somebody here. */
import type { Elsewhere } from "./controls";
import { element } from "./dom";
import { Gyro } from "./gyro";
import type { Headset } from "./headset";
import { Keepsakes } from "./keepsakes";
import type { Picture } from "./picture";
import { watchPath } from "./route";
import type { Status } from "./status";
import type { Target } from "./steps";
import { t } from "./text";
import { hashOf } from "./view";

export interface Surroundings {
  picture: Picture;
  status: Status;
  /** What is watched now. */
  target: () => Target;
  toggleStats: () => void;
  toggleGrid: () => void;
}

export class Deeds {
  readonly #in: Surroundings;
  readonly #keepsakes: Keepsakes;
  readonly #gyro: Gyro;
  #headset: Headset | "starts" | "unwanted" | undefined;

  constructor(surroundings: Surroundings) {
    this.#in = surroundings;
    const { picture, status } = surroundings;
    const explain = (text: string): void => status.explain(text);
    this.#keepsakes = new Keepsakes(picture, () => this.#name(), explain);
    this.#gyro = new Gyro(picture, explain);
    void this.#offerHeadset();
  }

  get table(): Elsewhere {
    return {
      grid: () => this.#in.toggleGrid(),
      gyro: () => void this.#gyro.toggle(),
      headset: () => void this.#toggleHeadset(),
      record: () => this.#keepsakes.toggleRecording(),
      save: () => void this.#keepsakes.save("seen"),
      saveAll: () => void this.#keepsakes.save("sphere"),
      share: () => void this.#share(),
      stats: () => this.#in.toggleStats(),
    };
  }

  /** Whether something is made of the picture that goes on while nobody looks at the page. */
  get busy(): boolean {
    return this.#keepsakes.busy || this.#headset !== undefined;
  }

  /** The picture comes by another stream. */
  follow(): void {
    this.#keepsakes.follow();
  }

  /** There is no picture any more: what is made of it ends. */
  close(): void {
    this.#keepsakes.close();
    this.#gyro.close();
    this.#takeOff();
  }

  #name(): string {
    const { robot, camera } = this.#in.target();
    return [robot, camera].filter(Boolean).join("-");
  }

  /** Whoever gets the link sees what is seen here, if they may: it holds no token. */
  async #share(): Promise<void> {
    const { picture, status, target } = this.#in;
    const { robot, camera } = target();
    if (robot === undefined) return;
    const view = picture.surrounds ? hashOf(picture.look) : "";
    const path = watchPath(robot, camera) + view;
    try {
      await navigator.clipboard.writeText(location.origin + path);
      status.explain(t("A link to this view is copied."));
    } catch {
      history.replaceState(history.state, "", path);
      status.explain(t("This browser does not let the page copy. The link is in the address bar."));
    }
  }

  async #offerHeadset(): Promise<void> {
    const worn = await navigator.xr?.isSessionSupported("immersive-vr").catch(() => false);
    element("headset", HTMLButtonElement).hidden = worn !== true;
  }

  async #toggleHeadset(): Promise<void> {
    if (this.#headset) return this.#takeOff();
    const { picture, status } = this.#in;
    this.#headset = "starts";
    let over = false;
    const off = (): void => {
      over = true;
      this.#headset = undefined;
    };
    try {
      const { putOn } = await import("./headset");
      const headset = await putOn(picture, picture.look.yaw, off);
      if (over) return;
      const wanted = this.#isStarting();
      this.#headset = headset;
      if (!wanted) this.#takeOff();
    } catch (error) {
      console.error("no headset", error);
      this.#headset = undefined;
      status.explain(t("The headset did not start."));
    }
  }

  /** It may have been given up meanwhile. */
  #isStarting(): boolean {
    return this.#headset === "starts";
  }

  #takeOff(): void {
    if (typeof this.#headset === "object") this.#headset.close();
    else if (this.#headset) this.#headset = "unwanted";
  }
}
