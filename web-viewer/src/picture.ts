/**
 * The picture itself: the `<video>`, and over it the canvas when the camera sees all around.
 *
 * Tells of every frame that is really shown. The video stays in the page even when the canvas covers it, as some browsers
 * decode only what is in sight.
 */
import { element } from "./dom";
import { transposed, turned } from "./panorama/camera";
import { surroundOf } from "./panorama/projection";
import type { Surround } from "./panorama/surround";
import { Renderer } from "./panorama/renderer";
import type { Projection, Rotation, Video } from "./protocol.gen";
import { bounded, lookFromQuery, type Look } from "./view";

const LEVEL: Rotation = { yaw: 0, pitch: 0, roll: 0 };

export interface PictureEvents {
  /** A new frame is on the screen. */
  frame(): void;
  /** This browser cannot draw what surrounds: it is shown flat. */
  flattened(): void;
}

export class Picture {
  readonly video = element("video", HTMLVideoElement);
  readonly canvas = element("panorama", HTMLCanvasElement);
  readonly #start = element("start", HTMLButtonElement);
  readonly #mute = element("mute", HTMLButtonElement);
  readonly #events: PictureEvents;
  readonly #life = new AbortController();
  #shown: VideoFrameCallbackMetadata | undefined;
  #look = lookFromQuery(location.search);
  /** What the surround was made from: it is made anew only when that changes. */
  #sight = "";
  #surround: Surround | undefined;
  #mount: Rotation = LEVEL;
  #renderer: Renderer | undefined;

  constructor(events: PictureEvents) {
    this.#events = events;
    const { signal } = this.#life;
    this.#start.addEventListener("click", () => this.#play(), { signal });
    this.video.muted = true;
    this.#nextFrame();
    this.look = this.#look;
  }

  /** Whether the video itself tells of frames; otherwise only the statistics know. */
  get seesFrames(): boolean {
    return "requestVideoFrameCallback" in this.video && !document.hidden;
  }

  /** Whether a new frame would come before somebody's eyes: not in a hidden page, nor before a tap that is needed. */
  get canShow(): boolean {
    return !document.hidden && this.#start.hidden !== false;
  }

  /** The frame that was shown last, where the video tells of frames. */
  get shown(): VideoFrameCallbackMetadata | undefined {
    return this.#shown;
  }

  get surrounds(): boolean {
    return this.#surround !== undefined;
  }

  get look(): Look {
    return this.#look;
  }

  set look(look: Look) {
    this.#look = bounded(look);
    const { dataset } = this.canvas;
    dataset["yaw"] = rounded(this.#look.yaw);
    dataset["pitch"] = rounded(this.#look.pitch);
    dataset["fov"] = rounded(this.#look.fov);
    this.#renderer?.look(this.#look);
  }

  /** How the next frame is to be shown. */
  project({ projection, mount = LEVEL }: Pick<Video, "projection" | "mount">): void {
    const sight = JSON.stringify([projection, mount]);
    if (sight !== this.#sight) {
      this.#renderer?.close();
      this.#renderer = undefined;
      this.#surround = surroundOf(projection);
      this.#mount = mount;
      this.#sight = sight;
    }
    this.#cover(projection.kind);
  }

  attach(stream: MediaStream): void {
    this.#mute.hidden = stream.getAudioTracks().length === 0;
    if (this.video.srcObject === stream) return;
    this.video.srcObject = stream;
    this.#play();
  }

  /** Some browsers' video stops although its track goes on; a new stream of the same tracks wakes it. */
  reattach(): void {
    if (this.video.srcObject instanceof MediaStream) this.attach(new MediaStream(this.video.srcObject.getTracks()));
  }

  close(): void {
    this.#life.abort();
    this.#renderer?.close();
    this.video.srcObject = null;
  }

  /** What the canvas shows, or is about to, need not be said twice, nor reached by Tab. */
  #cover(kind: Projection["kind"]): void {
    this.canvas.hidden = !this.surrounds;
    this.video.ariaHidden = this.surrounds ? "true" : null;
    this.video.tabIndex = this.surrounds ? -1 : 0;
    document.body.dataset["projection"] = this.surrounds ? kind : "flat";
  }

  /**
   * Gets ready to draw, once there is something to draw: the first WebGL context of a browser may take half a second, in
   * which nothing else here could happen.
   */
  #prepare(): void {
    if (!this.#surround || this.#renderer) return;
    this.#renderer = Renderer.create(this.canvas, this.video, this.#surround, transposed(turned(this.#mount)));
    this.#renderer?.look(this.#look);
    if (this.#renderer) return;
    this.#surround = undefined;
    this.#cover("flat");
    this.#events.flattened();
  }

  #play(): void {
    this.video.play().then(
      () => {
        this.#start.hidden = true;
      },
      (error: unknown) => {
        // A new stream interrupts the start of the one before; only a refusal needs the person.
        if (error instanceof DOMException && error.name === "NotAllowedError") this.#start.hidden = false;
      },
    );
  }

  #nextFrame(): void {
    if (this.#life.signal.aborted || !("requestVideoFrameCallback" in this.video)) return;
    this.video.requestVideoFrameCallback((_, frame) => {
      this.#shown = frame;
      this.#nextFrame();
      this.#events.frame();
      this.#prepare();
      this.#renderer?.frame();
    });
  }
}

function rounded(degrees: number): string {
  const value = Math.round(degrees * 100) / 100;
  // 179.996° and more would round to the end that the range leaves out.
  return String(value === 180 ? -180 : value + 0);
}
