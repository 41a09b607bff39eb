/**
 * Where one camera's picture is seen: a `<video>`, and over it a canvas when the camera sees all around.
 *
 * Tells of every frame that is really shown. The video stays in the page even when the canvas covers it, as some browsers
 * decode only what is in sight.
 */
import type { Mat3, Vec3 } from "./panorama/camera";
import { levelled } from "./panorama/level";
import { Renderer } from "./panorama/renderer";
import { sightOf, type Sight } from "./panorama/sight";
import type { Projection, Video } from "./protocol.gen";
import { START, type Look } from "./view";

export interface PaneEvents {
  /** A new frame is on the screen. */
  frame(): void;
  /** This browser cannot draw what surrounds: it is shown flat. */
  flattened(): void;
  /** Whether this browser plays only when it is told to by hand. */
  refused(needsTap: boolean): void;
}

/** Which way was up from the robot when it took a picture, as far as is known. */
export type Upright = (shown: VideoFrameCallbackMetadata) => Vec3 | undefined;

export class Pane {
  readonly video: HTMLVideoElement;
  readonly canvas: HTMLCanvasElement;
  upright: Upright | undefined;
  protected readonly life = new AbortController();
  protected kind: Projection["kind"] = "flat";
  protected renderer: Renderer | undefined;
  /** What surrounds is shown as it comes. */
  protected whole = false;
  /** Whether the horizon is to be level though the robot leans. */
  protected levels = true;
  #level: Mat3 | undefined;
  readonly #events: PaneEvents;
  #shown: VideoFrameCallbackMetadata | undefined;
  #look: Look = START;
  #waits = false;
  /** What the sight was made from: it is made anew only when that changes. */
  #known = "";
  #sight: Sight | undefined;
  /** The renderer knows the sight. */
  #ready = false;

  constructor(video: HTMLVideoElement, canvas: HTMLCanvasElement, events: PaneEvents) {
    this.video = video;
    this.canvas = canvas;
    this.#events = events;
    video.muted = true;
    this.#nextFrame();
    // By a phone call, a key for media, or the end of picture in picture: a live picture is never left standing.
    const { signal } = this.life;
    const wake = (): void => {
      if (video.paused && video.srcObject && !document.hidden) this.play();
    };
    video.addEventListener("pause", wake, { signal });
    document.addEventListener("visibilitychange", wake, { signal });
  }

  /** Whether the video itself tells of frames; otherwise only the statistics know. */
  get seesFrames(): boolean {
    return "requestVideoFrameCallback" in this.video && !document.hidden;
  }

  /** Whether a new frame would come before somebody's eyes: not in a hidden page, nor before a tap that is needed. */
  get canShow(): boolean {
    return !document.hidden && !this.#waits;
  }

  /** The frame that was shown last, where the video tells of frames. */
  get shown(): VideoFrameCallbackMetadata | undefined {
    return this.#shown;
  }

  /** Whether there is something to look around in. */
  get surrounds(): boolean {
    return this.#sight !== undefined && !this.whole;
  }

  /** Nothing for a flat camera. */
  get sight(): Sight | undefined {
    return this.#sight;
  }

  /** What makes the picture that was shown last level, where it leans with the robot and that says how. */
  get level(): Mat3 | undefined {
    return this.#level;
  }

  get look(): Look {
    return this.#look;
  }

  set look(look: Look) {
    this.#look = look;
    this.renderer?.look(look);
  }

  /** How the next frame is to be shown. */
  project({ projection, mount, leans }: Pick<Video, "projection" | "mount" | "leans">): void {
    const known = JSON.stringify([projection, mount, leans]);
    if (known !== this.#known) {
      this.renderer?.rest();
      this.#ready = false;
      this.#sight = sightOf({ projection, ...(mount && { mount }), ...(leans && { leans }) });
      this.#known = known;
      this.kind = projection.kind;
    }
    this.cover();
  }

  /** `inPlace`: its tracks come into the place of those that are shown, which stay until the others have a frame. */
  attach(stream: MediaStream, inPlace?: boolean): void {
    const { srcObject } = this.video;
    if (srcObject === stream) return;
    if (!inPlace || !(srcObject instanceof MediaStream)) {
      this.video.srcObject = stream;
      return this.play();
    }
    const tracks = stream.getTracks();
    for (const track of tracks) srcObject.addTrack(track);
    for (const track of srcObject.getTracks()) if (!tracks.includes(track)) srcObject.removeTrack(track);
  }

  /** Some browsers' video stops although its track goes on; a new stream of the same tracks wakes it. */
  reattach(): void {
    if (this.video.srcObject instanceof MediaStream) this.attach(new MediaStream(this.video.srcObject.getTracks()));
  }

  /** Nothing is to be seen for now. */
  detach(): void {
    this.video.srcObject = null;
    this.upright = undefined;
    this.#shown = undefined;
    this.#level = undefined;
    this.renderer?.rest();
    this.#ready = false;
    this.#sight = undefined;
    this.#known = "";
    this.cover();
    this.right();
  }

  play(): void {
    this.video.play().then(
      () => this.#wait(false),
      (error: unknown) => {
        // A new stream interrupts the start of the one before; only a refusal needs the person.
        if (error instanceof DOMException && error.name === "NotAllowedError") this.#wait(true);
      },
    );
  }

  close(): void {
    this.life.abort();
    this.renderer?.close();
    this.detach();
  }

  protected cover(): void {
    this.canvas.hidden = !this.surrounds;
  }

  protected right(): void {
    const up = this.levels && this.#sight?.leans && this.#shown ? this.upright?.(this.#shown) : undefined;
    this.#level = up && levelled(up);
  }

  #wait(needsTap: boolean): void {
    this.#waits = needsTap;
    if (!this.life.signal.aborted) this.#events.refused(needsTap);
  }

  /**
   * Gets ready to draw, once there is something to draw: the first WebGL context of a browser may take half a second, in
   * which nothing else here could happen.
   */
  #prepare(): void {
    if (!this.#sight || this.whole || this.#ready) return;
    this.renderer ??= Renderer.create(this.canvas, this.video);
    this.renderer?.look(this.#look);
    this.#ready = this.renderer?.show(this.#sight) ?? false;
    if (this.#ready) return;
    this.#sight = undefined;
    this.cover();
    this.#events.flattened();
  }

  #nextFrame(): void {
    if (this.life.signal.aborted || !("requestVideoFrameCallback" in this.video)) return;
    this.video.requestVideoFrameCallback((_, frame) => {
      if (this.life.signal.aborted) return;
      this.#shown = frame;
      this.#nextFrame();
      this.#events.frame();
      this.#prepare();
      this.right();
      if (!this.whole) this.renderer?.frame(this.#level);
    });
  }
}
