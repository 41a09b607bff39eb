/** What a notice means for the session that it may be about. Pure. */
import type { Admittance } from "./admittance";
import type { Playback } from "./playback";
import type { Notice, SessionId } from "./protocol.gen";
import { remedy, type Millis } from "./retry";

/**
 * - `refused`: the session that is awaited does not come.
 * - `lost`: the session whose picture there was does not go on.
 * - `dark`: the session goes on without pictures.
 * - `withdrawn`: what still flows must not be watched on.
 */
export type Consequence = "none" | "refused" | "lost" | "dark" | "withdrawn";

export function consequenceOf(
  notice: Notice,
  about: SessionId | undefined,
  { playback, admittance, now }: { playback: Playback; admittance: Admittance; now: Millis },
): Consequence {
  if (notice.code === "camera_lost") return about !== undefined && about === playback.session ? "dark" : "none";
  if (about !== undefined) {
    // The robot's own word on a session that has no picture, yet or any more. A picture that moves is left alone.
    const moves = playback.flowing(now) !== undefined && !playback.cameraLost;
    if (about === playback.session && !moves) return "lost";
    return admittance.pending && about === admittance.negotiation.admission?.session ? "refused" : "none";
  }
  const cure = remedy(notice.code);
  if (cure === "stop") return "withdrawn";
  // A notice names no session. While one goes on or another is on its way, it is about neither. And one candidate that
  // was not taken is no reason to give up the others.
  if (cure === "mend" || playback.resumable(now) !== undefined || admittance.pending) return "none";
  return "lost";
}
