/** The list of who is live, as the server gives it to anybody. */
import { decodeLiveRobots } from "./guards";
import type { LiveRobot } from "./protocol.gen";

/** Nothing when the server cannot be reached or does not answer in the protocol's form. */
export async function liveRobots(signal: AbortSignal): Promise<LiveRobot[] | undefined> {
  try {
    const response = await fetch("/api/v1/robots", { signal, headers: { accept: "application/json" } });
    return response.ok ? decodeLiveRobots(await response.json()) : undefined;
  } catch {
    return undefined;
  }
}
