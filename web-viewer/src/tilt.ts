/** Where a device looks that is held in the hand, with its screen turned by some angle. Pure. */
import { degrees, radians } from "./view";

/** As `deviceorientation` tells it, in degrees. */
export interface Held {
  readonly alpha: number;
  readonly beta: number;
  readonly gamma: number;
}

export interface Tilt {
  readonly yaw: number;
  readonly pitch: number;
  readonly roll: number;
}

type Earth = readonly [east: number, north: number, up: number];

/** `screen`: by how many degrees the picture is turned on the device, as `screen.orientation.angle` says. */
export function tiltOf({ alpha, beta, gamma }: Held, screen: number): Tilt {
  const [sa, ca] = sineAndCosine(alpha);
  const [sb, cb] = sineAndCosine(beta);
  const [sg, cg] = sineAndCosine(gamma);
  // The device's own axes on the earth: around the vertical first, then the new x axis, then the new y axis.
  const right: Earth = [ca * cg - sa * sb * sg, sa * cg + ca * sb * sg, -cb * sg];
  const top: Earth = [-sa * cb, ca * cb, sb];
  const front: Earth = [ca * sg + sa * sb * cg, sa * sg - ca * sb * cg, cb * cg];
  const [ss, cs] = sineAndCosine(screen);
  const across: Earth = [right[0] * cs - top[0] * ss, right[1] * cs - top[1] * ss, right[2] * cs - top[2] * ss];

  // The screen faces its holder, who looks the other way.
  const pitch = Math.asin(Math.min(1, Math.max(-1, -front[2])));
  const yaw = Math.atan2(-front[0], -front[1]);
  const [sy, cy] = [Math.sin(yaw), Math.cos(yaw)];
  const level = across[0] * cy - across[1] * sy;
  const upright: Earth = [-Math.sin(pitch) * sy, -Math.sin(pitch) * cy, Math.cos(pitch)];
  const raised = across[0] * upright[0] + across[1] * upright[1] + across[2] * upright[2];
  return { yaw: degrees(yaw), pitch: degrees(pitch), roll: degrees(Math.atan2(-raised, level)) };
}

function sineAndCosine(angle: number): readonly [number, number] {
  return [Math.sin(radians(angle)), Math.cos(radians(angle))];
}
