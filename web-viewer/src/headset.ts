/**
 * The picture all around somebody who wears a headset. Loaded only when somebody does.
 *
 * Drawn by a GPU context of its own: the page's may be with another GPU than the headset's, and goes on as it is.
 */
import { product, turned, type Mat3 } from "./panorama/camera";
import { Program, type Reach } from "./panorama/program";
import type { Sight } from "./panorama/sight";
import { snapped } from "./snap";

export interface Headset {
  close(): void;
}

/** What surrounds now, and what makes it level: both change. */
export interface Around {
  readonly video: HTMLVideoElement;
  readonly sight: Sight | undefined;
  readonly level: Mat3 | undefined;
  /** A headset has no room for words: what is not of now is not shown in it. */
  readonly live: boolean;
}

/** `ended` is told when the headset is taken off. */
export async function putOn(around: Around, yaw: number, ended: () => void): Promise<Headset> {
  if (!navigator.xr) throw new Error("no WebXR");
  const session = await navigator.xr.requestSession("immersive-vr", { optionalFeatures: ["layers"] });
  const life = new AbortController();
  session.addEventListener("end", () => life.abort(), { once: true });
  life.signal.addEventListener("abort", ended, { once: true });
  // Whoever takes it off may have been faster.
  const close = async (): Promise<void> => {
    if (!life.signal.aborted) await session.end().catch(() => undefined);
  };
  try {
    const canvas = document.createElement("canvas");
    const gl = canvas.getContext("webgl2", { xrCompatible: true, alpha: false, antialias: false, depth: false });
    if (!gl) throw new Error("no WebGL");
    // A page may have about sixteen contexts, and this one would be there for as long as the page.
    life.signal.addEventListener("abort", () => gl.getExtension("WEBGL_lose_context")?.loseContext(), { once: true });
    const space = await session.requestReferenceSpace("local");
    await new Worn(session, gl, around, yaw, life.signal).show(space);
  } catch (error) {
    await close();
    throw error;
  }
  return { close: () => void close() };
}

class Worn {
  readonly #session: XRSession;
  readonly #gl: WebGL2RenderingContext;
  readonly #around: Around;
  readonly #life: AbortSignal;
  /** Where the wearer's ahead lies: in quick turns by the stick, as slow ones make people ill. */
  #yaw: number;
  #stick = 0;
  #drawn: { sight: Sight; program: Program } | undefined;
  #newFrame = true;

  constructor(session: XRSession, gl: WebGL2RenderingContext, around: Around, yaw: number, life: AbortSignal) {
    this.#session = session;
    this.#gl = gl;
    this.#around = around;
    this.#yaw = yaw;
    this.#life = life;
  }

  async show(space: XRReferenceSpace): Promise<void> {
    const drawn = new XRWebGLLayer(this.#session, this.#gl);
    const laid = this.#laidAround(space);
    await this.#session.updateRenderState(laid ? { layers: [drawn] } : { baseLayer: drawn });
    this.#watchVideo();
    let lies = false;
    this.#everyFrame((frame) => {
      // What has to be turned, bent or left out, the headset cannot do by itself; and that changes, as cameras do.
      const can = laid !== undefined && this.#around.live && this.#around.sight?.full === true;
      if (laid && can !== lies) {
        lies = can;
        // Not a promise in every browser.
        void this.#session.updateRenderState({ layers: [can ? laid : drawn] });
      }
      if (laid && lies) laid.transform = ahead(this.#yaw);
      else this.#draw(frame, space, drawn);
    });
  }

  #draw(frame: XRFrame, space: XRReferenceSpace, layer: XRWebGLLayer): void {
    const pose = frame.getViewerPose(space);
    if (!pose) return;
    this.#gl.bindFramebuffer(this.#gl.FRAMEBUFFER, layer.framebuffer);
    const program = this.#around.live ? this.#program() : undefined;
    const { level } = this.#around;
    const facing = turned({ yaw: this.#yaw, pitch: 0, roll: 0 });
    const turn = level ? product(level, facing) : facing;
    for (const view of pose.views) {
      const viewport = layer.getViewport(view);
      if (viewport) program?.drawEye(viewport, product(turn, axes(view.transform.matrix)), reach(view));
    }
  }

  #watchVideo(): void {
    this.#around.video.requestVideoFrameCallback(() => {
      this.#newFrame = true;
      if (!this.#life.aborted) this.#watchVideo();
    });
  }

  #everyFrame(draw: (frame: XRFrame) => void): void {
    this.#session.requestAnimationFrame((_, frame) => {
      this.#everyFrame(draw);
      this.#turn();
      draw(frame);
    });
  }

  /** A headset that lays a video around its wearer by itself does it sharper, and at its own rate. */
  #laidAround(space: XRReferenceSpace): XREquirectLayer | undefined {
    const can = "XRMediaBinding" in globalThis && this.#session.enabledFeatures?.includes("layers") === true;
    if (!can) return undefined;
    return new XRMediaBinding(this.#session).createEquirectLayer(this.#around.video, { space, layout: "mono" });
  }

  #program(): Program | undefined {
    const { sight, video } = this.#around;
    if (sight !== this.#drawn?.sight) {
      this.#drawn?.program.close();
      this.#drawn = sight && { sight, program: new Program(this.#gl, sight) };
      this.#newFrame = true;
    }
    if (this.#newFrame && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) {
      this.#drawn?.program.upload(video);
      this.#newFrame = false;
    }
    return this.#drawn?.program;
  }

  #turn(): void {
    const sticks = Array.from(this.#session.inputSources, ({ gamepad }) => gamepad?.axes[2] ?? 0);
    const stick = sticks.find((push) => Math.abs(push) > 0.1) ?? 0;
    this.#yaw = snapped(this.#yaw, this.#stick, stick);
    this.#stick = stick;
  }
}

/** Turns what surrounds so that this lies before the wearer. */
function ahead(yaw: number): XRRigidTransform {
  const half = (yaw * Math.PI) / 360;
  return new XRRigidTransform({}, { y: Math.sin(half), w: Math.cos(half) });
}

/** Which way the eye's own axes lie in the room. */
function axes(m: Float32Array): Mat3 {
  return [0, 1, 2, 4, 5, 6, 8, 9, 10].map((i) => m[i] ?? 0);
}

/** How far the eye sees: its window need not be even to both sides. */
function reach({ projectionMatrix: p }: XRView): Reach {
  const [x, y, right, up] = [p[0] ?? 1, p[5] ?? 1, p[8] ?? 0, p[9] ?? 0];
  return [1 / x, 1 / y, right / x, up / y];
}
