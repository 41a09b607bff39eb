/** The faces of a cube around the camera, in cells of one picture. */
import type { CubeFace, CubeLayout } from "../protocol.gen";
import { apply, transposed, turned } from "./camera";
import { float, vec, type Surround } from "./surround";

/** Where somebody looks who sees the face upright: to the right, and up. */
const TOWARDS: Record<CubeFace, readonly [yaw: number, pitch: number]> = {
  front: [0, 0],
  right: [90, 0],
  back: [180, 0],
  left: [-90, 0],
  up: [0, 90],
  down: [0, -90],
};

/** `equiangular`: angles run evenly from a face's middle to its sides, instead of their tangents. */
export function cube({ columns, padding: [px, py] = [0, 0], cells }: CubeLayout, equiangular: boolean): Surround {
  const rows = cells.length / columns;
  const span = [(1 - 2 * px) / columns, 1 / rows - 2 * py] as const;
  const each = cells.map(({ face, turn }, i) => {
    const [yaw, pitch] = TOWARDS[face];
    return {
      // What is turned clockwise looks so to who leans to the left. There are right angles only.
      inwards: transposed(turned({ yaw, pitch, roll: -turn })).map(Math.round),
      corner: [px + (i % columns) * span[0], py + Math.floor(i / columns) / rows] as const,
    };
  });
  return {
    closes: false,
    // Half a texel inside of the cell nothing of its neighbours is mixed in.
    shader: `
const mat3 inwards[6] = mat3[6](${each.map(({ inwards }) => `mat3(${inwards.map(float).join(", ")})`).join(", ")});
const vec2 corner[6] = vec2[6](${each.map(({ corner }) => vec(corner)).join(", ")});
const vec2 span = ${vec(span)};
vec3 seen(vec3 ray) {
  int cell = 0;
  vec3 nearest = vec3(0.0);
  for (int i = 0; i < 6; i++) {
    vec3 to = inwards[i] * ray;
    if (to.z < nearest.z) {
      nearest = to;
      cell = i;
    }
  }
  vec2 at = vec2(nearest.x, -nearest.y) / -nearest.z;
  ${equiangular ? "at = atan(at) * 4.0 / PI;" : ""}
  vec2 edge = 0.5 / vec2(textureSize(picture, 0));
  return texture(picture, corner[cell] + clamp((at * 0.5 + 0.5) * span, edge, span - edge)).rgb;
}`,

    locate(ray) {
      const [first, ...others] = each.map(({ inwards, corner }) => ({ to: apply(inwards, ray), corner }));
      if (!first) return [];
      const { to, corner } = others.reduce((nearest, other) => (other.to[2] < nearest.to[2] ? other : nearest), first);
      const [x, y, z] = to;
      const [right, down] = [x / -z, y / z].map((at) => 0.5 + (equiangular ? Math.atan(at) * (2 / Math.PI) : at / 2));
      return [{ u: corner[0] + (right ?? 0) * span[0], v: corner[1] + (down ?? 0) * span[1], weight: 1 }];
    },
  };
}
