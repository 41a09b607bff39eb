/** The GPU program of one projection: one triangle that covers the screen, and one lookup per pixel. */
import { extent, product, turned, type Mat3 } from "./camera";
import type { Sight } from "./sight";
import type { Surround } from "./surround";
import { START, type Look } from "../view";

/** How the screen's points become directions. `sphere` is all there is, unrolled: longitude across, latitude upwards. */
const EYES = { window: 0, planet: 1, sphere: 2 } as const;

// Through a window the ray is linear on the screen, so three corners are enough to interpolate it exactly.
const VERTEX = `#version 300 es
uniform mat3 rotation;
uniform vec4 reach;
out vec2 point;
out vec3 ray;
void main() {
  vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
  point = corner * reach.xy + reach.zw;
  ray = rotation * vec3(point, -1.0);
  gl_Position = vec4(corner, 0.0, 1.0);
}`;

const fragment = ({ shader }: Surround): string => `#version 300 es
precision highp float;
const float PI = 3.14159265358979;
uniform sampler2D picture;
uniform mat3 rotation;
uniform int eye;
in vec2 point;
in vec3 ray;
out vec4 colour;
bool inside(vec2 at) {
  return at.x >= 0.0 && at.x <= 1.0 && at.y >= 0.0 && at.y <= 1.0;
}
${shader}
void main() {
  vec3 direction = ray;
  if (eye == ${EYES.planet}) {
    direction = rotation * vec3(point, dot(point, point) / 4.0 - 1.0);
  } else if (eye == ${EYES.sphere}) {
    vec3 level = vec3(sin(point.x) * cos(point.y), sin(point.y), -cos(point.x) * cos(point.y));
    direction = rotation * level;
  }
  colour = vec4(seen(normalize(direction)), 1.0);
}`;

/** Half of what is in sight at distance 1, and where its middle lies, if that is not ahead. */
export type Reach = readonly [x: number, y: number, right?: number, up?: number];

/** Belongs to one WebGL context and dies with it, or before it when it is closed. */
export class Program {
  readonly #gl: WebGL2RenderingContext;
  readonly #program: WebGLProgram;
  readonly #texture: WebGLTexture;
  readonly #rotation: WebGLUniformLocation | null;
  readonly #reach: WebGLUniformLocation | null;
  readonly #eye: WebGLUniformLocation | null;
  readonly #mount: Mat3;
  #hasPicture = false;

  constructor(gl: WebGL2RenderingContext, { surround, mount }: Sight) {
    this.#gl = gl;
    this.#mount = mount;
    this.#program = linked(gl, [
      [gl.VERTEX_SHADER, VERTEX],
      [gl.FRAGMENT_SHADER, fragment(surround)],
    ]);
    gl.useProgram(this.#program);
    this.#rotation = gl.getUniformLocation(this.#program, "rotation");
    this.#reach = gl.getUniformLocation(this.#program, "reach");
    this.#eye = gl.getUniformLocation(this.#program, "eye");

    this.#texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, this.#texture);
    // A picture that closes on itself from side to side must not show where; at the poles it ends.
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, surround.closes ? gl.REPEAT : gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.LINEAR);
  }

  upload(video: HTMLVideoElement): void {
    const gl = this.#gl;
    // Unsized RGBA was the fastest of all formats measured.
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, video);
    this.#hasPicture = true;
  }

  /** `level` turns directions of the level world into those of the robot, if that leans. */
  draw(look: Look, level?: Mat3): void {
    const gl = this.#gl;
    const { drawingBufferWidth: width, drawingBufferHeight: height } = gl;
    gl.viewport(0, 0, width, height);
    if (!this.#hasPicture) {
      gl.clearColor(0, 0, 0, 1);
      gl.clear(gl.COLOR_BUFFER_BIT);
      return;
    }
    this.#through(look.eye, after(level, turned(look)), extent(look, width / height));
  }

  /** One eye of a headset: where on its screen, turned how, and how far it sees to each side at distance 1. */
  drawEye({ x, y, width, height }: XRViewport, turn: Mat3, reach: Reach): void {
    this.#gl.viewport(x, y, width, height);
    if (this.#hasPicture) this.#through("window", turn, reach);
  }

  /** All that is around, level, as a picture of that width and half as high. */
  sphere(width: number, level?: Mat3): ImageData | undefined {
    if (!this.#hasPicture) return undefined;
    const gl = this.#gl;
    const height = width / 2;
    const [target, unrolled] = [gl.createFramebuffer(), gl.createRenderbuffer()];
    gl.bindRenderbuffer(gl.RENDERBUFFER, unrolled);
    gl.renderbufferStorage(gl.RENDERBUFFER, gl.RGBA8, width, height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, target);
    gl.framebufferRenderbuffer(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.RENDERBUFFER, unrolled);
    gl.viewport(0, 0, width, height);
    // Rows are read from the bottom upwards: drawn upside down, the first is the top.
    this.#through("sphere", after(level, turned(START)), [Math.PI, -Math.PI / 2]);
    const pixels = new Uint8ClampedArray(width * height * 4);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.deleteFramebuffer(target);
    gl.deleteRenderbuffer(unrolled);
    return gl.isContextLost() ? undefined : new ImageData(pixels, width, height);
  }

  #through(eye: keyof typeof EYES, turn: Mat3, [x, y, right = 0, up = 0]: Reach): void {
    const gl = this.#gl;
    gl.uniformMatrix3fv(this.#rotation, false, product(this.#mount, turn));
    gl.uniform4f(this.#reach, x, y, right, up);
    gl.uniform1i(this.#eye, EYES[eye]);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  /** Gives back what the GPU holds for it, which otherwise stays for as long as the page. */
  close(): void {
    this.#gl.deleteTexture(this.#texture);
    this.#gl.deleteProgram(this.#program);
  }
}

function after(level: Mat3 | undefined, turn: Mat3): Mat3 {
  return level ? product(level, turn) : turn;
}

function linked(
  gl: WebGL2RenderingContext,
  sources: readonly (readonly [kind: GLenum, source: string])[],
): WebGLProgram {
  const program = gl.createProgram();
  const shaders: WebGLShader[] = [];
  try {
    for (const [kind, source] of sources) {
      const shader = compiled(gl, kind, source);
      shaders.push(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
      throw new Error(`the shaders do not link: ${gl.getProgramInfoLog(program)}`);
    }
    return program;
  } catch (error) {
    gl.deleteProgram(program);
    throw error;
  } finally {
    // A program that is linked needs them no more; they go with it.
    for (const shader of shaders) gl.deleteShader(shader);
  }
}

function compiled(gl: WebGL2RenderingContext, kind: GLenum, source: string): WebGLShader {
  const shader = gl.createShader(kind);
  if (!shader) throw new Error("no shader: the WebGL context is lost");
  gl.shaderSource(shader, source);
  gl.compileShader(shader);
  if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) {
    const why = gl.getShaderInfoLog(shader);
    gl.deleteShader(shader);
    throw new Error(`a shader does not compile: ${why}`);
  }
  return shader;
}
