/** The one picture that the page is about: looked around in, shown one way or another, and taken home. */
import { element, setText } from "./dom";
import { asPanorama } from "./panorama/xmp";
import { Pane, type PaneEvents } from "./pane";
import { painted } from "./still";
import { t, type English } from "./text";
import { bounded, lookFromHash, lookFromQuery, startOf, type Eye, type Look } from "./view";

/** How what surrounds the viewer is shown: by one of the eyes, or the whole picture as the camera gives it. */
export type Way = Eye | "whole";

const WAYS: Record<Way, English> = { window: "looking around", planet: "little planet", whole: "whole picture" };
const NEXT: Record<Way, Way> = { window: "planet", planet: "whole", whole: "window" };

/** What becomes of the horizon while the robot leans. */
const LEVELS = {
  kept: "level",
  left: "as the robot leans",
  unknown: "the robot does not say how it leans",
} satisfies Record<string, English>;

export class Picture extends Pane {
  /** What it shows is of now. */
  live = false;
  readonly #mute = element("mute", HTMLButtonElement);
  readonly #wayNow = element("way-now", HTMLElement);
  readonly #levelNow = element("level-now", HTMLElement);
  /** Where somebody looked last through the other eye. */
  #before: Partial<Record<Eye, Look>> = {};

  constructor(events: PaneEvents) {
    super(element("video", HTMLVideoElement), element("panorama", HTMLCanvasElement), events);
    this.look = lookFromHash(location.hash) ?? lookFromQuery(location.search);
    addEventListener("hashchange", () => this.#follow(), { signal: this.life.signal });
  }

  /** Whether somebody has it though the page is hidden. */
  get isElsewhere(): boolean {
    return !this.video.muted || document.pictureInPictureElement === this.video;
  }

  /** Nothing for a flat camera, which there is only one way to show. */
  get way(): Way | undefined {
    if (!this.sight) return undefined;
    return this.whole ? "whole" : this.look.eye;
  }

  override get look(): Look {
    return super.look;
  }

  override set look(look: Look) {
    const { eye } = this.look;
    super.look = bounded(look);
    if (this.look.eye !== eye) this.cover();
    const { dataset } = this.canvas;
    dataset["yaw"] = rounded(this.look.yaw);
    dataset["pitch"] = rounded(this.look.pitch);
    dataset["fov"] = rounded(this.look.fov);
  }

  /** Shows it the next of the ways. */
  nextWay(): void {
    if (!this.way) return;
    const way = NEXT[this.way];
    this.whole = way === "whole";
    if (way !== "whole" && way !== this.look.eye) {
      const { yaw, eye } = this.look;
      this.#before[eye] = this.look;
      this.look = { ...(this.#before[way] ?? startOf(way)), yaw };
    }
    this.cover();
    // What came while the canvas was put away was not drawn.
    this.renderer?.frame(this.level);
  }

  /** Whether the horizon stays level while the robot leans. */
  toggleLevel(): void {
    this.levels = !this.levels;
    this.right();
    this.renderer?.frame(this.level);
  }

  override attach(stream: MediaStream, inPlace?: boolean): void {
    this.#mute.hidden = stream.getAudioTracks().length === 0;
    super.attach(stream, inPlace);
  }

  /** Keys are heard here from now on. */
  focus(): void {
    (this.surrounds ? this.canvas : this.video).focus({ preventScroll: true });
  }

  /** What is seen now, as a JPEG. */
  async seen(): Promise<Blob | undefined> {
    const { video } = this;
    if (this.surrounds) return this.renderer?.still();
    return painted({ width: video.videoWidth, height: video.videoHeight }, (pen) => pen.drawImage(video, 0, 0));
  }

  /** All that is around, as a JPEG that programs know as such. */
  async sphere(): Promise<Blob | undefined> {
    const pixels = this.renderer?.sphere(this.level);
    const blob = pixels && (await painted(pixels, (pen) => pen.putImageData(pixels, 0, 0)));
    if (!blob) return undefined;
    const jpeg = new Uint8Array(await blob.arrayBuffer());
    return new Blob([asPanorama(jpeg, pixels.width, pixels.height)], { type: blob.type });
  }

  protected override right(): void {
    super.right();
    const { dataset } = document.body;
    const state = this.sight?.leans ? (this.levels ? (this.level ? "kept" : "unknown") : "left") : undefined;
    if (dataset["level"] === state) return;
    if (state) {
      dataset["level"] = state;
      setText(this.#levelNow, t(LEVELS[state]));
    } else delete dataset["level"];
  }

  /** What the canvas shows, or is about to, need not be said twice, nor reached by Tab. */
  protected override cover(): void {
    super.cover();
    if (this.surrounds && document.activeElement === this.video) this.focus();
    this.video.ariaHidden = this.surrounds ? "true" : null;
    this.video.tabIndex = this.surrounds ? -1 : 0;
    const { dataset } = document.body;
    dataset["projection"] = this.sight ? this.kind : "flat";
    if (this.way) dataset["view"] = this.way;
    else delete dataset["view"];
    if (this.way) setText(this.#wayNow, t(WAYS[this.way]));
  }

  /** Somebody has followed a link, or written an address, that asks for another look. */
  #follow(): void {
    const look = lookFromHash(location.hash);
    if (!look) return;
    this.whole = false;
    this.look = look;
    this.cover();
  }
}

function rounded(degrees: number): string {
  const value = Math.round(degrees * 100) / 100;
  // 179.996° and more would round to the end that the range leaves out.
  return String(value === 180 ? -180 : value + 0);
}
