/** What every way of drawing has in common. */
import type { Vec3 } from "./camera";

/** A place in the picture, and how much of what is seen in a direction comes from there. */
export interface Sample {
  /** Both from 0 to 1, from the picture's top-left corner. */
  readonly u: number;
  readonly v: number;
  readonly weight: number;
}

/** A picture that surrounds the viewer: where in it a direction lies, once for the GPU and once for tests. */
export interface Surround {
  /** GLSL that defines `vec3 seen(vec3 ray)`, a colour, for a ray of length 1; it has `uniform sampler2D picture`. */
  readonly shader: string;
  /** The picture's left edge is also its right. */
  readonly closes: boolean;
  /** Where the shader looks. Nowhere: that direction is not in the picture. */
  locate(ray: Vec3): readonly Sample[];
}

/** A number as GLSL writes it: never without a point. */
export function float(value: number): string {
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

export function vec(values: readonly number[]): string {
  return `vec${values.length}(${values.map(float).join(", ")})`;
}
