/** Longitude runs evenly from left to right, latitude from top to bottom, and ahead is in the middle. */
import { radians } from "../view";
import { vec, type Surround } from "./surround";

/** `coverage`: how many degrees the picture covers from side to side and from top to bottom. */
export function equirectangular([width, height]: readonly [number, number] = [360, 180]): Surround {
  const spans = [radians(width), radians(height)] as const;
  const closes = width >= 360;
  return {
    closes,
    shader: `
vec3 seen(vec3 ray) {
  float yaw = atan(ray.x, -ray.z);
  float pitch = asin(clamp(ray.y, -1.0, 1.0));
  vec2 at = vec2(yaw, -pitch) / ${vec(spans)} + 0.5;
  return inside(at) ? texture(picture, at).rgb : vec3(0.0);
}`,

    locate([x, y, z]) {
      const yaw = Math.atan2(x, -z);
      const pitch = Math.asin(Math.min(1, Math.max(-1, y)));
      const [u, v] = [yaw / spans[0] + 0.5, 0.5 - pitch / spans[1]];
      return u >= 0 && u <= 1 && v >= 0 && v <= 1 ? [{ u, v, weight: 1 }] : [];
    },
  };
}
