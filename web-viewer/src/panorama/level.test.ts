import { expect, test } from "vitest";
import { apply, product, transposed, turned, type Vec3 } from "./camera";
import { levelled } from "./level";

/** Which way is up from a robot that leans so. */
function upOf(roll: number, pitch: number): Vec3 {
  return apply(transposed(turned({ yaw: 0, pitch, roll })), [0, 1, 0]);
}

test("what a robot sees is level again, and what is ahead of it stays ahead", () => {
  for (const [roll, pitch] of [
    [0, 0],
    [20, 0],
    [0, 20],
    [-50, 30],
    [175, 0],
    [10, -70],
  ] as const) {
    // From the level world to the robot and back from there.
    const whole = product(turned({ yaw: 0, pitch, roll }), levelled(upOf(roll, pitch)));
    whole.forEach((part, place) => expect(part).toBeCloseTo(place % 4 === 0 ? 1 : 0, 6));
  }
});

test("a robot that stands on its head or its tail has a horizon, too", () => {
  for (const [roll, pitch] of [
    [180, 0],
    [0, 90],
    [30, -90],
    [0, 85],
  ] as const) {
    const up = upOf(roll, pitch);
    const matrix = levelled(up);
    apply(matrix, [0, 1, 0]).forEach((part, place) => expect(part).toBeCloseTo(up[place] ?? NaN, 6));
    const identity = product(transposed(matrix), matrix);
    identity.forEach((part, place) => expect(part).toBeCloseTo(place % 4 === 0 ? 1 : 0, 6));
  }
});
