/** The list of who is live: of those robots that anybody may watch, and of the one that the token is for. */
import { decodeLiveRobots } from "./guards";
import type { LiveRobot } from "./protocol.gen";

/** Nothing when the server cannot be reached or does not answer in the protocol's form. */
export async function liveRobots(signal: AbortSignal, token?: string): Promise<LiveRobot[] | undefined> {
  try {
    const headers = { accept: "application/json", ...(token !== undefined && { authorization: `Bearer ${token}` }) };
    const response = await fetch("/api/v1/robots", { signal, headers });
    return response.ok ? decodeLiveRobots(await response.json()) : undefined;
  } catch {
    return undefined;
  }
}
