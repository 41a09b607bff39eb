/** Why no way to the robot was found, as far as this side can tell, and what somebody can do about it. Pure. */
import type { IceServer } from "./protocol.gen";
import type { English } from "./text";

/** What became of this side's own ways out of its network. */
export interface Gathered {
  /** `host`, `srflx` (seen from outside: UDP comes through), `relay`. */
  readonly kinds: ReadonlySet<string>;
  /** What relays answered that did not work: HTTP-like codes; 701 is no answer. */
  readonly errors: ReadonlySet<number>;
}

const UNAUTHORIZED = [401, 438];

export function diagnosisOf(servers: readonly IceServer[], { kinds, errors }: Gathered): English {
  const urls = servers.flatMap((server) => server.urls);
  const relays = urls.some((url) => /^turns?:/i.test(url));
  if (kinds.has("relay")) {
    return "Neither a direct way nor the relay leads to the robot. It may be cut off from the relay: ask whoever runs it.";
  }
  if (relays && UNAUTHORIZED.some((code) => errors.has(code))) {
    return "The relay no longer takes this page. Reload it.";
  }
  if (relays) {
    return "This network lets nothing through, neither to the robot nor to the relay. Try another one, such as a phone’s.";
  }
  if (urls.length > 0 && !kinds.has("srflx")) {
    return "This network blocks UDP, and the server has no relay. Try another network, or ask whoever runs the server for a relay (TURN).";
  }
  return "No way to the robot was found. A firewall may be in between.";
}
