import { describe, expect, it } from "vitest";
import { Candidates } from "./candidates";
import type { Candidate } from "./protocol.gen";

const sdp = (...fragments: string[]): string =>
  ["v=0", ...fragments.flatMap((fragment) => ["m=video 9 X 96", `a=ice-ufrag:${fragment}`]), ""].join("\r\n");

const way = (port: number, fragment?: string): Candidate => ({
  candidate: `candidate:1 1 udp 1 192.0.2.1 ${port} typ host`,
  ...(fragment !== undefined && { usernameFragment: fragment }),
});

describe("candidates", () => {
  it("wait for the first offer", () => {
    const candidates = new Candidates();
    expect([way(1, "a"), way(2), way(3, "b")].map((one) => candidates.take(one))).toEqual([false, false, false]);
    expect(candidates.offered(sdp("a"))).toEqual([way(1, "a"), way(2)]);
    expect(candidates.take(way(4, "a"))).toBe(true);
    expect(candidates.offered(sdp("b"))).toEqual([way(3, "b")]);
  });

  it("that overtake a later offer wait for it, and for none after it", () => {
    const candidates = new Candidates();
    candidates.offered(sdp("a"));
    expect(candidates.take(way(1, "b"))).toBe(false);
    const inline = { candidate: "candidate:1 1 udp 1 192.0.2.1 5 typ host ufrag b network-id 1" };
    expect(candidates.take(inline)).toBe(false);
    expect(candidates.offered(sdp("b"))).toEqual([way(1, "b"), inline]);
    expect(candidates.offered(sdp("b"))).toEqual([]);
  });

  it("that do not say for which offer they are get both chances", () => {
    const candidates = new Candidates();
    candidates.offered(sdp("a"));
    expect(candidates.take(way(1))).toBe(true);
    expect(candidates.offered(sdp("b"))).toEqual([way(1)]);
    expect(candidates.offered(sdp("c"))).toEqual([]);
  });

  it("may be for any of an offer's sections", () => {
    const candidates = new Candidates();
    candidates.offered(sdp("a", "b"));
    expect([way(1, "a"), way(1, "b"), way(1, "c")].map((one) => candidates.take(one))).toEqual([true, true, false]);
  });

  it("are not kept without end", () => {
    const candidates = new Candidates();
    for (let port = 0; port < 1000; port += 1) candidates.take(way(port));
    const kept = candidates.offered(sdp("a"));
    expect(kept.length).toBeLessThan(100);
    expect(kept.at(-1)).toEqual(way(999));
  });
});
