import { beforeEach, expect, it } from "vitest";
import { NTP_TO_UNIX } from "./delay";
import { Offset } from "./offset";

const HOUR = 3_600_000;
const ORIGIN = 1_700_000_000_000;

let offset: Offset;
let now: number;
/** What the robot's clock shows more than the page's. */
let ahead: number;

beforeEach(() => {
  offset = new Offset();
  now = 5000;
  ahead = HOUR;
});

const frame = () => ({ rtpTimestamp: (now * 90) % 2 ** 32, captureTimestamp: ORIGIN + now + ahead + NTP_TO_UNIX });

/** A report that took so long, heard of a little later; returns what is known then. */
function report(took: number, roundTrip: number): number | undefined {
  now += 1000;
  const came = ORIGIN + now - 300;
  offset.observe({ left: came + ahead - took, came, roundTrip }, frame(), { now, origin: ORIGIN });
  return offset.value;
}

it("is unknown before the first report", () => {
  offset.observe(undefined, frame(), { now, origin: ORIGIN });
  expect(offset.value).toBeUndefined();
});

it.each([HOUR, -HOUR, 0])("of %d ms is found, whatever the way takes", (apart) => {
  ahead = apart;
  expect(report(40, 80)).toBeCloseTo(apart);
});

it("is by the fastest report and the fastest round trip", () => {
  expect(report(140, 80)).toBeCloseTo(HOUR - 100);
  expect(report(40, 300)).toBeCloseTo(HOUR);
  expect(report(400, 80)).toBeCloseTo(HOUR);
});

it("follows clocks that drift, and ways that change for good", () => {
  report(10, 20);
  for (let second = 0; second < 30; second += 1) report(60, 120);
  expect(offset.value).toBeCloseTo(HOUR);
});

it("is of one report once, however often that is heard of", () => {
  const [left, came] = [ORIGIN + HOUR, ORIGIN + 4000];
  offset.observe({ left, came, roundTrip: 10 }, undefined, { now, origin: ORIGIN });
  offset.observe({ left, came, roundTrip: 2 }, undefined, { now, origin: ORIGIN });
  expect(offset.value).toBe(HOUR - 4000 + 5);
});

it("is not by reports that came at another time", () => {
  offset.observe({ left: 9, came: ORIGIN + now - HOUR, roundTrip: 2 }, undefined, { now, origin: ORIGIN });
  offset.observe({ left: 8, came: ORIGIN + now + HOUR, roundTrip: 2 }, undefined, { now, origin: ORIGIN });
  expect(offset.value).toBeUndefined();
});

it.each([HOUR, -HOUR, 700, -700])("is unknown when the robot's clock is set by %d ms, until it says more", (by) => {
  for (let second = 0; second < 5; second += 1) report(5, 10);
  const came = ORIGIN + now + 600;
  const old = { left: came + ahead - 5, came, roundTrip: 10 };
  ahead += by;
  now += 1000;
  // It left before the clock was set.
  offset.observe(old, frame(), { now, origin: ORIGIN });
  expect(offset.value).toBeUndefined();
  expect(report(5, 10)).toBeCloseTo(HOUR + by);
});

it("survives RTP timestamps that begin anew", () => {
  now = 2 ** 32 / 90 - 500;
  expect(report(5, 10)).toBeCloseTo(HOUR);
  expect(report(20, 10)).toBeCloseTo(HOUR);
});
