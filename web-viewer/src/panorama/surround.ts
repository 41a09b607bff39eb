/** What every way of drawing has in common. */
import type { Vec3 } from "./camera";

/** A picture that surrounds the viewer: where in it a direction lies, once for the GPU and once for tests. */
export interface Surround {
  /** GLSL that defines `vec2 locate(vec3 ray)`, for a ray of length 1. */
  readonly shader: string;
  /** The same in TypeScript. Both coordinates run from 0 to 1, from the picture's top-left corner. */
  locate(ray: Vec3): readonly [u: number, v: number];
}
