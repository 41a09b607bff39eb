/**
 * Rays through the screen. Pure.
 *
 * The eye's frame and the world's agree at yaw 0, pitch 0: x to the right, y up, and it looks along −z.
 */
import type { Rotation } from "../protocol.gen";
import { halfHeight, radians, type Look } from "../view";

export type Vec3 = readonly [x: number, y: number, z: number];

/** Nine numbers, column by column, as `uniformMatrix3fv` takes them. */
export type Mat3 = readonly number[];

/** Turns directions of the eye into directions of the world: first up or down, then around. */
export function rotation({ yaw, pitch }: Pick<Look, "yaw" | "pitch">): Mat3 {
  const [sy, cy] = [Math.sin(radians(yaw)), Math.cos(radians(yaw))];
  const [sp, cp] = [Math.sin(radians(pitch)), Math.cos(radians(pitch))];
  return [cy, 0, sy, -sy * sp, cp, cy * sp, -sy * cp, -sp, cy * cp];
}

/** Turns directions of what is turned into directions of what it is turned in: rolled first, then raised, then turned around. */
export function turned({ yaw, pitch, roll }: Rotation): Mat3 {
  const [s, c] = [Math.sin(radians(roll)), Math.cos(radians(roll))];
  // Clockwise, as seen from behind.
  return product(rotation({ yaw, pitch }), [c, -s, 0, s, c, 0, 0, 0, 1]);
}

export function transposed(matrix: Mat3): Mat3 {
  return [0, 3, 6, 1, 4, 7, 2, 5, 8].map((i) => matrix[i] ?? 0);
}

/** First `second`, then `first`. */
export function product(first: Mat3, second: Mat3): Mat3 {
  return [0, 3, 6].flatMap((i) => apply(first, [second[i] ?? 0, second[i + 1] ?? 0, second[i + 2] ?? 0]));
}

/** Half the width and height of the screen at distance 1. */
export function extent(look: Pick<Look, "fov" | "eye">, aspect: number): readonly [x: number, y: number] {
  const y = halfHeight(look);
  return [y * aspect, y];
}

/** The direction seen at a point of the screen, both coordinates from −1 to 1, up and right positive. */
export function rayThrough(look: Look, aspect: number, x: number, y: number): Vec3 {
  const [ex, ey] = extent(look, aspect);
  const [px, py] = [x * ex, y * ey];
  // From a sphere's far end, the plane touches the near one at distance 2: the ray to a point goes through the sphere.
  const near = look.eye === "planet" ? (px * px + py * py) / 4 - 1 : -1;
  return normalised(apply(turned(look), [px, py, near]));
}

export function apply(matrix: Mat3, [x, y, z]: Vec3): Vec3 {
  const row = (i: number): number => (matrix[i] ?? 0) * x + (matrix[i + 3] ?? 0) * y + (matrix[i + 6] ?? 0) * z;
  return [row(0), row(1), row(2)];
}

/** What has no direction stays without. */
export function normalised([x, y, z]: Vec3): Vec3 {
  const length = Math.hypot(x, y, z) || 1;
  return [x / length, y / length, z / length];
}
