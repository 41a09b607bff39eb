/** Longitude runs evenly from −180° at the left edge to 180° at the right, latitude from 90° at the top to −90°. */
import type { Surround } from "./surround";

export const equirectangular: Surround = {
  shader: `
vec2 locate(vec3 ray) {
  float yaw = atan(ray.x, -ray.z);
  float pitch = asin(clamp(ray.y, -1.0, 1.0));
  return vec2(yaw / (2.0 * PI) + 0.5, 0.5 - pitch / PI);
}`,

  locate([x, y, z]) {
    const yaw = Math.atan2(x, -z);
    const pitch = Math.asin(Math.min(1, Math.max(-1, y)));
    return [yaw / (2 * Math.PI) + 0.5, 0.5 - pitch / Math.PI];
  },
};
