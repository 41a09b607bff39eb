import { expect, test } from "vitest";
import example from "../../protocol/fixtures/attitude.json";
import { Attitude, readingsOf } from "./attitude";
import { NTP_TO_UNIX } from "./delay";
import type { Vec3 } from "./panorama/camera";

function bytes(hex: string): ArrayBuffer {
  return Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16)).buffer;
}

/** A message of the robot's, at these milliseconds of its clock and leaning so, in degrees to its right. */
function message(...readings: [at: number, lean: number][]): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(readings.length * 14));
  readings.forEach(([at, lean], index) => {
    const seconds = (at + NTP_TO_UNIX) / 1000;
    view.setUint32(index * 14, Math.floor(seconds));
    view.setUint32(index * 14 + 4, Math.floor((seconds % 1) * 2 ** 32));
    view.setInt16(index * 14 + 8, -Math.sin((lean * Math.PI) / 180) * 32_767);
    view.setInt16(index * 14 + 10, Math.cos((lean * Math.PI) / 180) * 32_767);
  });
  return view.buffer;
}

function leanOf(up: Vec3 | undefined): number | undefined {
  return up && (Math.atan2(-up[0], up[1]) * 180) / Math.PI;
}

const T = 1_800_000_000_000;

test("messages are as the robot writes them", () => {
  const readings = readingsOf(bytes(example.message));
  expect(readings.length).toBe(example.readings.length);
  example.readings.forEach(({ at, up }, index) => {
    const seconds = parseInt(at.slice(0, 8), 16) + parseInt(at.slice(8), 16) / 2 ** 32;
    expect(readings[index]?.at).toBeCloseTo(seconds * 1000 - NTP_TO_UNIX, 1);
    up.forEach((part, place) => expect(readings[index]?.up[place]).toBeCloseTo(part, 4));
  });
  expect(readingsOf(bytes("00".repeat(13)))).toEqual([]);
});

test("between two readings a robot leans in between", () => {
  const attitude = new Attitude();
  attitude.heard(message([T + 100, 10]), 0);
  attitude.heard(message([T + 50, 5], [T + 60, 6]), 1);
  expect(leanOf(attitude.up(T + 80, 2))).toBeCloseTo(8, 1);
  expect(leanOf(attitude.up(T + 60, 2))).toBeCloseTo(6, 1);
});

test("before what is known it leans as at first, and after it as at last", () => {
  const attitude = new Attitude();
  attitude.heard(message([T, 5], [T + 100, 10]), 0);
  expect(leanOf(attitude.up(T - 500, 1))).toBeCloseTo(5, 1);
  expect(leanOf(attitude.up(T + 500, 1))).toBeCloseTo(10, 1);
  expect(leanOf(attitude.up(undefined, 1))).toBeCloseTo(10, 1);
});

test("of a robot that has fallen silent nothing is known", () => {
  const attitude = new Attitude();
  expect(attitude.up(T, 0)).toBeUndefined();
  attitude.heard(message([T, 5]), 0);
  expect(attitude.up(T, 2000)).toBeDefined();
  expect(attitude.up(T, 3000)).toBeUndefined();
});

test("a robot whose clock is set is believed at once", () => {
  for (const hour of [-3_600_000, 3_600_000]) {
    const attitude = new Attitude();
    attitude.heard(message([T, 5]), 0);
    attitude.heard(message([T + hour, 20]), 33);
    attitude.heard(message([T + hour + 33, 20]), 66);
    expect(leanOf(attitude.up(T + hour + 20, 70))).toBeCloseTo(20, 1);
  }
});
