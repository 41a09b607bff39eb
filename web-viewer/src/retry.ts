/** When to try again, and what a refusal asks of the page. Pure. */
import type { Code } from "./protocol.gen";

/** Milliseconds, on whatever clock the caller keeps. */
export type Millis = number;

/** How long to wait for something that only others can change, unless they announce it earlier. */
const LATER: Millis = 10_000;

const PAUSES = { first: 1000, longest: 8000 };

/** Delay before attempt `failures + 1`: it doubles, and at least half of it is chance, so that viewers do not return as one. */
export function backoff(failures: number, random: () => number, { first, longest } = PAUSES): Millis {
  const whole = Math.min(longest, first * 2 ** Math.max(0, failures - 1));
  return whole * (0.5 + 0.5 * random());
}

export function later(random: () => number): Millis {
  return LATER * (0.8 + 0.4 * random());
}

/**
 * - `wait`: the robot has to come first; its coming is announced.
 * - `later`: nothing announces the change, so ask again slowly.
 * - `again`: ask again soon.
 * - `mend`: something this page said was not taken; worth another try unless it was the request itself.
 * - `stop`: asking again would change nothing until the person does something.
 */
export type Remedy = "wait" | "later" | "again" | "mend" | "stop";

export function remedy(code: Code): Remedy {
  switch (code) {
    case "unknown_robot":
    case "unknown_camera":
    case "robot_offline":
      return "wait";
    case "full":
    case "crowded":
    case "rate_limited":
    case "draining":
      return "later";
    case "connection_failed":
    case "replaced":
      return "again";
    case "camera_lost":
    case "malformed":
    case "too_large":
      return "mend";
    case "unauthorized":
    case "token_expired":
    case "token_revoked":
    case "sent_away":
    case "version":
    case "unsupported":
      return "stop";
    default:
      return code satisfies never;
  }
}
