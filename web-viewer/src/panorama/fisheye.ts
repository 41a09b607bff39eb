/** One or two lenses whose pictures are circles, each drawn as its calibration says. */
import type { Bend, Lens } from "../protocol.gen";
import { radians } from "../view";
import { apply, transposed, turned, type Mat3, type Vec3 } from "./camera";
import { float, vec, type Sample, type Surround } from "./surround";

/** Degrees below which nobody sees a step, so that nothing is divided by zero. */
const SHARP = 0.01;

export function fisheye(lens: Lens): Surround {
  return circles([lens], 0);
}

/** `blend`: over how many degrees one lens's picture becomes the other's. */
export function dualFisheye(lenses: readonly [Lens, Lens], blend: number): Surround {
  return circles(lenses, blend);
}

function circles(lenses: readonly Lens[], blend: number): Surround {
  const width = radians(Math.max(blend, SHARP));
  const each = lenses.map(
    (_, i) => `  vec3 d${i} = lens${i} * ray;\n  float m${i} = edge${i} - acos(clamp(-d${i}.z, -1.0, 1.0));`,
  );
  const mixed =
    lenses.length === 1
      ? "  return m0 > 0.0 ? colour0(d0) : vec3(0.0);"
      : `  if (m0 <= 0.0 && m1 <= 0.0) return vec3(0.0);
  float second = clamp(0.5 + (m1 - m0) / (2.0 * clamp(m0 + m1, ${float(radians(SHARP))}, ${float(width)})), 0.0, 1.0);
  if (m0 <= 0.0) second = 1.0;
  if (m1 <= 0.0) second = 0.0;
  if (second <= 0.0) return colour0(d0);
  if (second >= 1.0) return colour1(d1);
  return mix(colour0(d0), colour1(d1), second);`;
  return {
    closes: false,
    shader: `${lenses.map(shaderOf).join("\n")}
vec3 seen(vec3 ray) {
${each.join("\n")}
${mixed}
}`,

    locate(ray) {
      const seen = lenses.map((lens) => see(lens, ray));
      const [first, second] = seen;
      if (!first) return [];
      if (!second) return first.margin > 0 ? [{ ...first.at, weight: 1 }] : [];
      const share = secondsShare(first.margin, second.margin, width);
      const both = [
        { ...first.at, weight: 1 - share },
        { ...second.at, weight: share },
      ];
      return both.filter(({ weight }) => weight > 0);
    },
  };
}

/** How much of the second lens is seen, where each sees so far beyond the direction. Not a number: neither sees it. */
function secondsShare(first: number, second: number, width: number): number {
  if (first <= 0 && second <= 0) return NaN;
  if (first <= 0) return 1;
  if (second <= 0) return 0;
  const across = Math.min(Math.max(first + second, radians(SHARP)), width);
  return Math.min(1, Math.max(0, 0.5 + (second - first) / (2 * across)));
}

function see(lens: Lens, ray: Vec3): { at: Omit<Sample, "weight">; margin: number } {
  const direction = apply(inwards(lens), ray);
  const [x, y] = bent(lens.bend, direction);
  const [cx, cy] = lens.center;
  const [fx, fy] = lens.focal;
  const margin = radians(lens.fov / 2) - Math.acos(Math.min(1, Math.max(-1, -direction[2])));
  return { at: { u: cx + fx * x, v: cy + fy * y }, margin };
}

/** Turns directions of the camera into directions of the lens. */
function inwards(lens: Lens): Mat3 {
  return transposed(turned(lens.rotation));
}

/** Where a direction comes to lie, with focal length 1: to the right and down. */
function bent(bend: Bend, [x, y, z]: Vec3): readonly [number, number] {
  switch (bend.model) {
    case "kannala_brandt": {
      const [k1, k2, k3, k4] = bend.k;
      const off = Math.hypot(x, y);
      const theta = Math.atan2(off, -z);
      const s = theta * theta;
      const distance = theta * (1 + s * (k1 + s * (k2 + s * (k3 + s * k4))));
      const scale = off > 1e-6 ? distance / off : 1;
      return [x * scale, -y * scale];
    }
    case "mei": {
      const [[k1, k2], [p1, p2]] = [bend.k, bend.p];
      const [a, b] = [x / (bend.xi - z), -y / (bend.xi - z)];
      const s = a * a + b * b;
      const radial = 1 + s * (k1 + s * k2);
      return [a * radial + 2 * p1 * a * b + p2 * (s + 2 * a * a), b * radial + p1 * (s + 2 * b * b) + 2 * p2 * a * b];
    }
    default:
      return bend satisfies never;
  }
}

function shaderOf(lens: Lens, i: number): string {
  return `
const mat3 lens${i} = mat3(${inwards(lens).map(float).join(", ")});
const float edge${i} = ${float(radians(lens.fov / 2))};
vec3 colour${i}(vec3 ray) {
${bending(lens.bend)}
  vec2 at = ${vec(lens.center)} + ${vec(lens.focal)} * bent;
  return inside(at) ? min(texture(picture, at).rgb * ${float(lens.gain)}, 1.0) : vec3(0.0);
}`;
}

const bending = (bend: Bend): string =>
  bend.model === "mei"
    ? `  vec2 a = vec2(ray.x, -ray.y) / (${float(bend.xi)} - ray.z);
  const vec2 p = ${vec(bend.p)};
  float s = dot(a, a);
  vec2 bent = a * (1.0 + s * (${float(bend.k[0])} + s * ${float(bend.k[1])}))
    + 2.0 * a.x * a.y * p + p.yx * (s + 2.0 * a * a);`
    : `  float off = length(ray.xy);
  float theta = atan(off, -ray.z);
  float s = theta * theta;
  const vec4 k = ${vec(bend.k)};
  float distance = theta * (1.0 + s * (k.x + s * (k.y + s * (k.z + s * k.w))));
  vec2 bent = vec2(ray.x, -ray.y) * (off > 1e-6 ? distance / off : 1.0);`;
