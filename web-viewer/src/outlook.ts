/** What the person is told of all this. Pure. */
import type { Admittance } from "./admittance";
import type { Playback } from "./playback";
import { remedy, type Millis } from "./retry";
import type { View } from "./steps";

/** The link to the server. */
export type Link = "up" | { downSince: Millis };

/** A server that restarts is back before this; longer absence is worth a sentence. */
const UNREACHABLE_AFTER: Millis = 4000;

export function outlook(playback: Playback, admittance: Admittance, link: Link, now: Millis): View {
  if (playback.isLive(now)) {
    const { late } = playback;
    return late === undefined ? { kind: "live" } : { kind: "late", seconds: Math.round(late / 1000) };
  }
  if (playback.cameraLost) return { kind: "cameraLost" };
  const { problem: notice, stopped: final } = admittance;
  if (notice) {
    return remedy(notice.code) === "wait" ? { kind: "waiting", notice } : { kind: "refused", notice, final };
  }
  if (link !== "up" && now - link.downSince > UNREACHABLE_AFTER) return { kind: "failed", link: false };
  if (admittance.failing) return { kind: "failed", link: true };
  const age = playback.age(now);
  if (age !== undefined && !admittance.pending && !playback.mending) {
    return { kind: "stalled", seconds: Math.floor(age / 1000) };
  }
  return { kind: playback.hadPicture ? "reconnecting" : "connecting" };
}
