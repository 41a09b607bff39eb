/** What is drawn: how a camera's picture surrounds the viewer. Pure. */
import type { Video } from "../protocol.gen";
import { transposed, turned, type Mat3 } from "./camera";
import { surroundOf } from "./projection";
import type { Surround } from "./surround";

export interface Sight {
  readonly surround: Surround;
  /** Turns directions of the robot into directions of its camera. */
  readonly mount: Mat3;
  /** The camera leans with the robot, which says how. */
  readonly leans: boolean;
  /** All there is, unrolled and level: what any player of such pictures takes as it comes. */
  readonly full: boolean;
}

/** Nothing for a flat picture. */
export function sightOf({
  projection,
  mount,
  leans = false,
}: Pick<Video, "projection" | "mount" | "leans">): Sight | undefined {
  const surround = surroundOf(projection);
  if (!surround) return undefined;
  const level = !mount || (mount.yaw === 0 && mount.pitch === 0 && mount.roll === 0);
  const full = level && !leans && projection.kind === "equirectangular" && projection.coverage === undefined;
  return { surround, mount: transposed(turned(mount ?? { yaw: 0, pitch: 0, roll: 0 })), leans, full };
}
