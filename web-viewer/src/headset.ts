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
  session.addEventListener("end", ended, { once: true });
  try {
    const canvas = document.createElement("canvas");
    const gl = canvas.getContext("webgl2", { xrCompatible: true, alpha: false, antialias: false, depth: false });
    if (!gl) throw new Error("no WebGL");
    const space = await session.requestReferenceSpace("local");
    const worn = new Worn(session, gl, around, yaw);
    await worn.show(space);
  } catch (error) {
    await session.end();
    throw error;
  }
  return { close: () => void session.end() };
}

class Worn {
  readonly #session: XRSession;
  readonly #gl: WebGL2RenderingContext;
  readonly #around: Around;
  /** Where the wearer's ahead lies: in quick turns by the stick, as slow ones make people ill. */
  #yaw: number;
  #stick = 0;
  #drawn: { sight: Sight; program: Program } | undefined;
  #newFrame = true;

  constructor(session: XRSession, gl: WebGL2RenderingContext, around: Around, yaw: number) {
    this.#session = session;
    this.#gl = gl;
    this.#around = around;
    this.#yaw = yaw;
  }

  async show(space: XRReferenceSpace): Promise<void> {
    const around = this.#aroundBy(space);
    if (around) {
      await this.#session.updateRenderState({ layers: [around] });
      // The headset draws by itself: there is only the stick to follow.
      let shown = true;
      return this.#everyFrame(() => {
        around.transform = ahead(this.#yaw);
        const { live } = this.#around;
        if (live !== shown) void this.#session.updateRenderState({ layers: live ? [around] : [] });
        shown = live;
      });
    }
    const gl = this.#gl;
    const layer = new XRWebGLLayer(this.#session, gl);
    await this.#session.updateRenderState({ baseLayer: layer });
    const nextVideoFrame = (): void => {
      this.#around.video.requestVideoFrameCallback(() => {
        this.#newFrame = true;
        nextVideoFrame();
      });
    };
    nextVideoFrame();
    this.#everyFrame((frame) => {
      const pose = frame.getViewerPose(space);
      if (!pose) return;
      gl.bindFramebuffer(gl.FRAMEBUFFER, layer.framebuffer);
      const program = this.#around.live ? this.#program() : undefined;
      const { level } = this.#around;
      const facing = turned({ yaw: this.#yaw, pitch: 0, roll: 0 });
      const turn = level ? product(level, facing) : facing;
      for (const view of pose.views) {
        const viewport = layer.getViewport(view);
        if (viewport) program?.drawEye(viewport, product(turn, axes(view.transform.matrix)), reach(view));
      }
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
  #aroundBy(space: XRReferenceSpace): XREquirectLayer | undefined {
    const full = this.#around.sight?.full === true && this.#session.enabledFeatures?.includes("layers");
    if (!full || !("XRMediaBinding" in globalThis)) return undefined;
    const layer = new XRMediaBinding(this.#session).createEquirectLayer(this.#around.video, { space, layout: "mono" });
    layer.transform = ahead(this.#yaw);
    return layer;
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
