/**
 * Draws a video that surrounds the viewer. Costs nothing while neither the picture nor the look changes.
 *
 * A canvas has one WebGL context for good, and so one renderer: what the video is changes in it, and what the GPU held for
 * the one before goes. Survives the loss of its context: it draws on when the browser gives it back.
 */
import { jpegOf } from "../still";
import { START, type Look } from "../view";
import type { Mat3 } from "./camera";
import { Program } from "./program";
import type { Sight } from "./sight";

/** Beyond two device pixels per CSS pixel nobody sees a gain, but every GPU feels it. */
const MAX_RATIO = 2;

export class Renderer {
  readonly #canvas: HTMLCanvasElement;
  readonly #video: HTMLVideoElement;
  readonly #gl: WebGL2RenderingContext;
  readonly #life = new AbortController();
  readonly #resizes: ResizeObserver;
  #sight: Sight | undefined;
  #program: Program | undefined;
  #look: Look = START;
  #level: Mat3 | undefined;
  #newFrame = false;
  #planned: number | undefined;

  /** Nothing when this browser has no WebGL2. */
  static create(canvas: HTMLCanvasElement, video: HTMLVideoElement): Renderer | undefined {
    const options = { alpha: false, antialias: false, depth: false, stencil: false };
    const gl = canvas.getContext("webgl2", { ...options, powerPreference: "high-performance" });
    return gl ? new Renderer(canvas, video, gl) : undefined;
  }

  private constructor(canvas: HTMLCanvasElement, video: HTMLVideoElement, gl: WebGL2RenderingContext) {
    this.#canvas = canvas;
    this.#video = video;
    this.#gl = gl;
    const { signal } = this.#life;
    canvas.addEventListener("webglcontextlost", (event) => this.#lost(event), { signal });
    canvas.addEventListener("webglcontextrestored", () => this.#restore(), { signal });
    this.#resizes = new ResizeObserver(() => this.#resize());
    this.#resizes.observe(canvas);
  }

  /** Draws this from now on. False: this browser's WebGL cannot. */
  show(sight: Sight): boolean {
    this.rest();
    this.#sight = sight;
    // A context that is lost is told what to draw when it comes back.
    return this.#gl.isContextLost() || this.#restore();
  }

  /** Draws nothing until there is something else to show, and holds nothing of the GPU until then. */
  rest(): void {
    this.#sight = undefined;
    this.#program?.close();
    this.#program = undefined;
  }

  /** The video shows a new frame, which this makes level if it leans. */
  frame(level?: Mat3): void {
    this.#level = level;
    this.#newFrame = true;
    this.#plan();
  }

  look(look: Look): void {
    this.#look = look;
    this.#plan();
  }

  /** What is on the canvas now: drawn again, as browsers forget it once it is on the screen. */
  async still(): Promise<Blob | undefined> {
    this.#draw();
    return jpegOf(this.#canvas);
  }

  /** All that is around, of as many pixels as the picture that it is drawn from, or as this GPU allows. */
  sphere(level: Mat3 | undefined): ImageData | undefined {
    const widest: unknown = this.#gl.getParameter(this.#gl.MAX_RENDERBUFFER_SIZE);
    const { videoWidth, videoHeight } = this.#video;
    const width = Math.floor(
      Math.min(Math.sqrt(2 * videoWidth * videoHeight), typeof widest === "number" ? widest : 0),
    );
    // It may not have been drawn for a while.
    this.#newFrame = this.#hasFrame;
    this.#draw();
    return width > 1 ? this.#program?.sphere(width - (width % 2), level) : undefined;
  }

  close(): void {
    this.rest();
    this.#life.abort();
    this.#resizes.disconnect();
    if (this.#planned !== undefined) cancelAnimationFrame(this.#planned);
    // A page may have about sixteen contexts, and one whose canvas is gone counts until somebody sweeps.
    this.#gl.getExtension("WEBGL_lose_context")?.loseContext();
  }

  /** Whether there is one, for those whom the video has not just told so: it tells before it says that it has one. */
  get #hasFrame(): boolean {
    return this.#video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA;
  }

  #plan(): void {
    this.#planned ??= requestAnimationFrame(() => {
      this.#planned = undefined;
      this.#draw();
    });
  }

  #draw(): void {
    if (!this.#program) return;
    if (this.#newFrame) {
      this.#program.upload(this.#video);
      this.#newFrame = false;
    }
    this.#program.draw(this.#look, this.#level);
  }

  #resize(): void {
    const ratio = Math.min(devicePixelRatio, MAX_RATIO);
    const width = Math.max(1, Math.round(this.#canvas.clientWidth * ratio));
    const height = Math.max(1, Math.round(this.#canvas.clientHeight * ratio));
    if (width === this.#canvas.width && height === this.#canvas.height) return;
    this.#canvas.width = width;
    this.#canvas.height = height;
    // A new size clears the canvas; waiting for the next animation frame would show that.
    this.#draw();
  }

  #lost(event: Event): void {
    // Tells the browser that we want the context back.
    event.preventDefault();
    this.#program = undefined;
    // Until then the flat video beneath is better than a black canvas that claims to be live.
    this.#canvas.style.visibility = "hidden";
  }

  /** False: the context does not draw this. */
  #restore(): boolean {
    if (!this.#sight) return true;
    try {
      this.#program = new Program(this.#gl, this.#sight);
    } catch (error) {
      console.error("this browser's WebGL cannot draw the picture", error);
      return false;
    }
    this.#canvas.style.visibility = "";
    this.#newFrame = this.#hasFrame;
    this.#plan();
    return true;
  }
}
