/**
 * Draws a video that surrounds the viewer. Costs nothing while neither the picture nor the look changes.
 *
 * Survives the loss of its WebGL context: it draws on when the browser gives it back.
 */
import { START, type Look } from "../view";
import type { Mat3 } from "./camera";
import { Program } from "./program";
import type { Surround } from "./surround";

/** Beyond two device pixels per CSS pixel nobody sees a gain, but every GPU feels it. */
const MAX_RATIO = 2;

export class Renderer {
  readonly #canvas: HTMLCanvasElement;
  readonly #video: HTMLVideoElement;
  readonly #surround: Surround;
  readonly #mount: Mat3;
  readonly #gl: WebGL2RenderingContext;
  readonly #life = new AbortController();
  readonly #resizes: ResizeObserver;
  #program: Program | undefined;
  #look: Look = START;
  #newFrame = false;
  #planned: number | undefined;

  /** Nothing when this browser has no WebGL2. */
  static create(
    canvas: HTMLCanvasElement,
    video: HTMLVideoElement,
    surround: Surround,
    mount: Mat3,
  ): Renderer | undefined {
    const options = { alpha: false, antialias: false, depth: false, stencil: false };
    const gl = canvas.getContext("webgl2", { ...options, powerPreference: "high-performance" });
    try {
      return gl ? new Renderer(canvas, video, surround, mount, gl) : undefined;
    } catch (error) {
      console.error("this browser's WebGL cannot draw the picture", error);
      return undefined;
    }
  }

  private constructor(
    canvas: HTMLCanvasElement,
    video: HTMLVideoElement,
    surround: Surround,
    mount: Mat3,
    gl: WebGL2RenderingContext,
  ) {
    this.#canvas = canvas;
    this.#video = video;
    this.#surround = surround;
    this.#mount = mount;
    this.#gl = gl;
    this.#restore();
    const { signal } = this.#life;
    canvas.addEventListener("webglcontextlost", (event) => this.#lost(event), { signal });
    canvas.addEventListener("webglcontextrestored", () => this.#restore(), { signal });
    this.#resizes = new ResizeObserver(() => this.#resize());
    this.#resizes.observe(canvas);
  }

  /** The video shows a new frame. */
  frame(): void {
    this.#newFrame = true;
    this.#plan();
  }

  look(look: Look): void {
    this.#look = look;
    this.#plan();
  }

  close(): void {
    this.#life.abort();
    this.#resizes.disconnect();
    if (this.#planned !== undefined) cancelAnimationFrame(this.#planned);
  }

  #plan(): void {
    this.#planned ??= requestAnimationFrame(() => {
      this.#planned = undefined;
      this.#draw();
    });
  }

  #draw(): void {
    if (!this.#program) return;
    if (this.#newFrame && this.#video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) {
      this.#program.upload(this.#video);
      this.#newFrame = false;
    }
    this.#program.draw(this.#look);
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

  #restore(): void {
    this.#program = new Program(this.#gl, this.#surround, this.#mount);
    this.#canvas.style.visibility = "";
    this.#newFrame = true;
    this.#plan();
  }
}
