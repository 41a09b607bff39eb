import { expect, it } from "vitest";
import { linesFor, sampleOf, type Line } from "./stats";

const told = (lines: Line[]) => new Map(lines.map(([name, value]) => [name, value]));

type Entries = [string, Record<string, unknown>][];

const report = (bytes: number, frames: number): Entries => [
  [
    "v",
    {
      type: "inbound-rtp",
      kind: "video",
      codecId: "c",
      bytesReceived: bytes,
      packetsReceived: frames * 3,
      packetsLost: frames / 10,
      framesDecoded: frames,
      frameWidth: 1920,
      frameHeight: 960,
      totalDecodeTime: frames * 0.004,
    },
  ],
  ["c", { mimeType: "video/H264" }],
  ["o", { type: "remote-outbound-rtp", kind: "video", remoteTimestamp: 7000, timestamp: 5000 }],
  ["t", { type: "transport", selectedCandidatePairId: "p" }],
  ["p", { type: "candidate-pair", currentRoundTripTime: 0.0124, localCandidateId: "l", remoteCandidateId: "r" }],
  ["l", { candidateType: "host", protocol: "udp" }],
  ["r", { candidateType: "host" }],
];

it("there is no sample before the first video packet", () => {
  expect(sampleOf([["t", { type: "transport" }]], 0)).toBeUndefined();
});

it("rates are over the time since the sample before", () => {
  const [before, now] = [sampleOf(report(0, 0), 1000), sampleOf(report(500_000, 60), 3000)];
  if (!now) throw new Error("no sample");
  expect(now.counters).toEqual({ bytes: 500_000, decoded: 60 });
  expect(now.report).toEqual({ left: 7000, came: 5000, roundTrip: 12.4 });
  const lines = told(linesFor(now, before, { toScreen: 41.6, soundLag: -7.4 }));
  expect(lines.get("Frames")).toBe("30 per second");
  expect(lines.get("Bitrate")).toBe("2.00 Mbit/s");
  expect(lines.get("Picture")).toBe("1920 × 960");
  expect(lines.get("Decoded in")).toBe("4.0 ms");
  expect(lines.get("Round trip")).toBe("12 ms");
  expect(lines.get("Route")).toBe("direct, UDP");
  expect(lines.get("Codec")).toBe("H264");
  expect(lines.get("Packets lost")).toBe("6, now 3.2 %");
  expect(lines.get("Capture to screen")).toBe("42 ms");
  expect(lines.get("Sound")).toBe("7 ms before the picture");
});

it("a first sample has no rates", () => {
  const now = sampleOf(report(500_000, 60), 3000);
  if (!now) throw new Error("no sample");
  const lines = told(linesFor(now, undefined, { toScreen: undefined, soundLag: undefined }));
  expect([lines.get("Frames"), lines.get("Bitrate")]).toEqual(["–", "–"]);
});

it("no delay is shown rather than a wrong one", () => {
  const now = sampleOf(report(0, 0), 1000);
  if (!now) throw new Error("no sample");
  expect(told(linesFor(now, undefined, { toScreen: undefined, soundLag: undefined })).get("Capture to screen")).toBe(
    "–",
  );
  expect(told(linesFor(now, undefined, { toScreen: "unknown", soundLag: undefined })).get("Capture to screen")).toBe(
    "unknown",
  );
});
