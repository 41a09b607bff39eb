import { expect, test } from "vitest";
import { bitrate, millis, sentenceOf, share, since } from "./words";

test("figures are short, and what is unknown is not made up", () => {
  expect([bitrate(2_345_678), bitrate(64_000), bitrate(undefined)]).toEqual(["2.3 Mbit/s", "64 kbit/s", "–"]);
  expect([millis(12.6), millis(undefined)]).toEqual(["13 ms", "–"]);
  expect([share(0.0123), share(undefined)]).toEqual(["1.2 %", "–"]);
});

test("times are told in the largest unit that says something", () => {
  expect([0, 59, 60, 7200, 200_000].map((seconds) => since(0, seconds * 1000))).toEqual([
    "0 s",
    "59 s",
    "1 min",
    "2 h",
    "2 d",
  ]);
  expect(since(5000, 0), "clocks differ").toBe("0 s");
});

test("every event is a sentence", () => {
  expect(sentenceOf({ at: 0, times: 1, kind: "refused", robot: "r1", code: "full" })).toBe(
    "A viewer of r1 was refused (full).",
  );
  expect(sentenceOf({ at: 0, times: 1, kind: "joined", robot: "r1", session: "ab12" })).toBe("Viewer ab12 joined r1.");
});
