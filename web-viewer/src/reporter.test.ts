import { expect, it } from "vitest";
import { Reporter } from "./reporter";
import { sampleOf, type Sample } from "./stats";

/** What a browser has counted after so many seconds of 30 frames and 3 Mbit each. */
function after(seconds: number, freezes = 0): Sample {
  const video = { type: "inbound-rtp", kind: "video", bytesReceived: seconds * 375_000, framesDecoded: seconds * 30 };
  const pair = { type: "candidate-pair", nominated: true, localCandidateId: "l" };
  const entries: [string, Record<string, unknown>][] = [
    ["v", { ...video, freezeCount: freezes }],
    ["p", pair],
    ["l", { candidateType: "relay", protocol: "udp" }],
  ];
  const sample = sampleOf(entries, seconds * 1000);
  if (!sample) throw new Error("no sample");
  return sample;
}

it("the server is told as often as it wants to know", () => {
  const reporter = new Reporter();
  const told = [];
  for (let second = 0; second <= 12; second += 1) {
    const late = second * 1.003;
    if (reporter.take(after(late), 100, 5)) told.push(second);
  }
  expect(told).toEqual([5, 10]);
});

it("what it is told is what happened since the last time", () => {
  const reporter = new Reporter();
  expect(reporter.take(after(100, 7), 100, 5)).toBeUndefined();
  const reception = reporter.take(after(105, 8), 143.2, 5);
  expect(reception).toEqual({ fps: 30, bitrate: 3e6, delay: 143.2, freezes: 8, relayed: true });
  expect(reporter.take(after(110, 8), "unknown", 5)).not.toHaveProperty("delay");
});

it("a server that does not ask is told nothing, and what was not seen is not told", () => {
  const reporter = new Reporter();
  expect([0, 10, 20].map((second) => reporter.take(after(second), 100, undefined))).toEqual(Array(3).fill(undefined));
  reporter.rest();
  expect(reporter.take(after(100), 100, 5)).toBeUndefined();
  reporter.rest();
  expect(reporter.take(after(200), 100, 5)).toBeUndefined();
  expect(reporter.take(after(205), 100, 5)?.fps).toBe(30);
});

it("a server that asks for too much is told once a sample", () => {
  const reporter = new Reporter();
  reporter.take(after(1), 100, 0);
  expect(reporter.take(after(1), 100, 0)).toBeUndefined();
  expect(reporter.take(after(2), 100, -1)).toBeDefined();
});
