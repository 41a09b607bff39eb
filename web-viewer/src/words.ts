/** The state in words that anybody understands. Pure. */
import type { Code, Notice } from "./protocol.gen";
import type { View } from "./steps";
import { t, type English } from "./text";

/** The page's state as `data-state` carries it. */
export type Mark = "connecting" | "reconnecting" | "live" | "stalled" | "waiting" | "failed" | "refused";

export interface Words {
  mark: Mark;
  /** For the status line; says the same thing for as long as it is true. */
  state: string;
  /** What went wrong; empty when nothing did. */
  problem: string;
  /** For the badge at the top; empty when there is none. */
  badge: string;
  /** Whether trying again by hand makes sense. */
  canRetry: boolean;
}

const CALM = { problem: "", badge: "", canRetry: false };

/** `why`: what is known of why no connection came about, if it is more than that. */
export function wordsFor(view: View, why: English = CODES.connection_failed): Words {
  switch (view.kind) {
    case "connecting":
      return { ...CALM, mark: "connecting", state: t("Connecting…") };
    case "reconnecting":
      return { ...CALM, mark: "reconnecting", state: t("Reconnecting…") };
    case "live":
      return { ...CALM, mark: "live", state: t("Live"), badge: t("LIVE") };
    case "late":
      return {
        ...CALM,
        mark: "stalled",
        state: t("The picture is delayed."),
        badge: t("Delayed {seconds} s", { seconds: view.seconds }),
      };
    case "stalled":
      return view.seconds < 3
        ? { ...CALM, mark: "stalled", state: t("The picture is delayed."), badge: t("Delayed") }
        : {
            ...CALM,
            mark: "stalled",
            state: t("The picture has stalled."),
            badge: t("Stalled {seconds} s", { seconds: view.seconds }),
          };
    case "cameraLost":
      return { ...CALM, mark: "waiting", state: t("Waiting for the camera…"), problem: t(CODES.camera_lost) };
    case "waiting":
      return { ...CALM, mark: "waiting", state: t("Waiting for the robot…"), problem: sentence(view.notice) };
    case "refused":
      return view.final
        ? { ...CALM, mark: "refused", state: t("Not connected"), problem: sentence(view.notice), canRetry: true }
        : { ...CALM, mark: "refused", state: t("Trying again soon…"), problem: sentence(view.notice), canRetry: true };
    case "failed": {
      const problem = view.link ? t(why) : t("The server cannot be reached. Is this device online?");
      return { ...CALM, mark: "failed", state: t("Trying again…"), problem, canRetry: view.link };
    }
    default:
      return view satisfies never;
  }
}

const CODES: Record<Code, English> = {
  unknown_robot: "There is no robot of this name. If it is new, the picture appears once it connects.",
  unknown_camera: "The robot has no camera of this name. Check the address.",
  robot_offline: "The robot is offline. The picture appears as soon as it is back.",
  unauthorized: "You are not allowed to watch this robot. Ask whoever sent you the link for access.",
  token_expired: "This link has expired. Ask for a new one.",
  token_revoked: "This link has been withdrawn. Ask for a new one.",
  sent_away: "An operator has ended your visit.",
  full: "This robot has as many viewers as it can serve. You will be let in when one leaves.",
  crowded: "Too many connections come from your network. Close other tabs of this page, or wait for others to do so.",
  rate_limited: "Too many attempts in a short time. The next one follows in a moment.",
  too_large: "The server refused a message of this page as too large.",
  malformed: "The server did not understand this page. Check the address, then reload.",
  version: "This page is out of date. Reload it.",
  replaced: "Another connection has taken this robot’s place.",
  unsupported: "This browser cannot show the robot’s video (H.264). Try another one.",
  connection_failed: "No way to the robot was found. A firewall may be in between.",
  camera_lost: "The robot has lost its camera. The picture appears as soon as it is back.",
  draining: "The server is restarting and will be back in a moment.",
};

/** A sentence of ours for each code, as the server's own text is written for those who run it. */
export function sentence({ code }: Notice): string {
  return t(CODES[code]);
}
