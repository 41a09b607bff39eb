/** The GPU program of one projection: one triangle that covers the screen, and one lookup per pixel. */
import { extent, product, rotation, type Mat3 } from "./camera";
import type { Surround } from "./surround";
import type { Look } from "../view";

// The ray is linear on the screen, so three corners are enough to interpolate it exactly.
const VERTEX = `#version 300 es
uniform mat3 rotation;
uniform vec2 extent;
out vec3 ray;
void main() {
  vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
  ray = rotation * vec3(corner * extent, -1.0);
  gl_Position = vec4(corner, 0.0, 1.0);
}`;

const fragment = ({ shader }: Surround): string => `#version 300 es
precision highp float;
const float PI = 3.14159265358979;
uniform sampler2D picture;
in vec3 ray;
out vec4 colour;
bool inside(vec2 at) {
  return at.x >= 0.0 && at.x <= 1.0 && at.y >= 0.0 && at.y <= 1.0;
}
${shader}
void main() {
  colour = vec4(seen(normalize(ray)), 1.0);
}`;

/** Belongs to one WebGL context and dies with it. */
export class Program {
  readonly #gl: WebGL2RenderingContext;
  readonly #rotation: WebGLUniformLocation | null;
  readonly #extent: WebGLUniformLocation | null;
  readonly #mount: Mat3;
  #hasPicture = false;

  /** `mount` turns directions of the robot into directions of its camera. */
  constructor(gl: WebGL2RenderingContext, surround: Surround, mount: Mat3) {
    this.#gl = gl;
    this.#mount = mount;
    const program = gl.createProgram();
    gl.attachShader(program, compiled(gl, gl.VERTEX_SHADER, VERTEX));
    gl.attachShader(program, compiled(gl, gl.FRAGMENT_SHADER, fragment(surround)));
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
      throw new Error(`the shaders do not link: ${gl.getProgramInfoLog(program)}`);
    }
    gl.useProgram(program);
    this.#rotation = gl.getUniformLocation(program, "rotation");
    this.#extent = gl.getUniformLocation(program, "extent");

    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
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

  draw(look: Look): void {
    const gl = this.#gl;
    const { drawingBufferWidth: width, drawingBufferHeight: height } = gl;
    gl.viewport(0, 0, width, height);
    if (!this.#hasPicture) {
      gl.clearColor(0, 0, 0, 1);
      gl.clear(gl.COLOR_BUFFER_BIT);
      return;
    }
    gl.uniformMatrix3fv(this.#rotation, false, product(this.#mount, rotation(look)));
    gl.uniform2fv(this.#extent, extent(look.fov, width / height));
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }
}

function compiled(gl: WebGL2RenderingContext, kind: GLenum, source: string): WebGLShader {
  const shader = gl.createShader(kind);
  if (!shader) throw new Error("no shader: the WebGL context is lost");
  gl.shaderSource(shader, source);
  gl.compileShader(shader);
  if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) {
    throw new Error(`a shader does not compile: ${gl.getShaderInfoLog(shader)}`);
  }
  return shader;
}
