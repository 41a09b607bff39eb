/** Turning by a stick, step by step. Pure. */

const STEP = 30;
/** Beyond this, a stick is pushed; it has to come back before the next step. */
const PUSHED = 0.6;

/** The yaw after the stick has moved from one place to another, both from −1 (left) to 1. */
export function snapped(yaw: number, before: number, stick: number): number {
  const pushed = Math.abs(stick) > PUSHED && !(Math.abs(before) > PUSHED && Math.sign(before) === Math.sign(stick));
  return pushed ? yaw + STEP * Math.sign(stick) : yaw;
}
