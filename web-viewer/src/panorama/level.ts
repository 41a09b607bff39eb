/** The horizon, kept level while the robot leans. Pure. */
import { normalised, type Mat3, type Vec3 } from "./camera";

/** Whoever looks this steeply up or down has no ahead to speak of. */
const STEEP = 0.2;

/** Turns directions of a level world into those of a robot from which that way is up. Its ahead stays ahead. */
export function levelled(up: Vec3): Mat3 {
  const y = normalised(up);
  // What is behind the robot, as far as it is level.
  const z: Vec3 = [-y[2] * y[0], -y[2] * y[1], 1 - y[2] * y[2]];
  const steep = Math.hypot(...z) < STEEP;
  const back = normalised(steep ? cross([1, 0, 0], y) : z);
  return [...cross(y, back), ...y, ...back];
}

function cross([ax, ay, az]: Vec3, [bx, by, bz]: Vec3): Vec3 {
  return [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx];
}
