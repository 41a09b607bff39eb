import { expect, it } from "vitest";
import { asked } from "./host";
import { START } from "./view";

it("another page may turn the view, as far as there is one", () => {
  expect(asked(START, { yaw: 90, fov: 40 })).toEqual({ ...START, yaw: 90, fov: 40 });
  expect(asked(START, { yaw: 270, pitch: -100 })).toEqual({ ...START, yaw: -90, pitch: -90 });
  expect(asked(START, { eye: "planet", fov: 260 })).toEqual({ ...START, eye: "planet", fov: 260 });
});

it("nonsense turns nothing", () => {
  expect(asked(START, { yaw: "90", pitch: NaN, fov: Infinity, eye: "fly" })).toEqual(START);
  expect(asked(START, {})).toEqual(START);
});
