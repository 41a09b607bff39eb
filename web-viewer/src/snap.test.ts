import { expect, it } from "vitest";
import { snapped } from "./snap";

it("one push is one step, however long it lasts", () => {
  let yaw = 10;
  let before = 0;
  for (const stick of [0.2, 0.5, 0.7, 1, 0.9, 0.7, 0.1, 0, -0.9, -1, -0.2, 1]) {
    yaw = snapped(yaw, before, stick);
    before = stick;
  }
  expect(yaw).toBe(40);
});

it("a stick at rest turns nobody", () => {
  expect(snapped(5, 0, 0.1)).toBe(5);
});
