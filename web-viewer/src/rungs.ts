/** Which of the qualities that a media server has is meant. Pure. */

/** So many of a camera's qualities are sent there at most: the best, the one next to it, and the lowest. */
const SENT = 3;

/** Where a quality is, a place of so many that the camera has, among those that came: the best of them fall away first. */
export function placeOf(rung: number, rungs: number, came: number): number {
  if (rung >= rungs - 1) return Math.max(0, came - 1);
  const missing = came < Math.min(SENT, rungs) ? rungs - came : 0;
  return Math.max(0, Math.min(rung - missing, 1, came - 1));
}
