/**
 * What a link lets its bearer do is proven by the token behind its `#`, which browsers do not send along. It is taken out
 * of the address at once, so that nobody reads it there, and kept for this tab, so that a reload finds it again.
 */
import type { RobotId } from "./protocol.gen";

const PREFIX = "#token=";
const KEPT_AS = "panocast.token:";

/** A link that is opened where another one was does not load the page anew by itself. */
export function followTokens(signal: AbortSignal): void {
  addEventListener("hashchange", () => location.hash.startsWith(PREFIX) && location.reload(), { signal });
}

/** The token for this robot, from the address or from before. */
export function takeToken(robot: RobotId | undefined): string | undefined {
  const { hash, pathname, search } = location;
  const key = KEPT_AS + (robot ?? "");
  if (!hash.startsWith(PREFIX)) return kept(key);
  const token = hash.slice(PREFIX.length);
  history.replaceState(history.state, "", pathname + search);
  keep(key, token);
  return token;
}

function kept(key: string): string | undefined {
  try {
    return sessionStorage.getItem(key) ?? undefined;
  } catch {
    // A frame whose storage is blocked.
    return undefined;
  }
}

function keep(key: string, token: string): void {
  try {
    sessionStorage.setItem(key, token);
  } catch {
    // Then a reload asks for the link again.
  }
}
