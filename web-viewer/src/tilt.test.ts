import { expect, it } from "vitest";
import { tiltOf, type Held } from "./tilt";

const seen = (held: Held, screen = 0) => {
  const { yaw, pitch, roll } = tiltOf(held, screen);
  return [yaw, pitch, roll].map((angle) => Math.round(angle * 1000) / 1000 + 0);
};

// Upright before the face, which looks north: its top is 90° above where it lies on the table.
const UPRIGHT = { alpha: 0, beta: 90, gamma: 0 };

it("a phone held upright looks ahead, and level", () => {
  expect(seen(UPRIGHT)).toEqual([0, 0, 0]);
});

it("who turns to the right sees what lies there", () => {
  // Alpha grows to the left.
  expect(seen({ ...UPRIGHT, alpha: 330 })).toEqual([30, 0, 0]);
  expect(seen({ ...UPRIGHT, alpha: 90 })).toEqual([-90, 0, 0]);
});

it("who lifts it looks up", () => {
  expect(seen({ ...UPRIGHT, beta: 120 })).toEqual([0, 30, 0]);
  expect(seen({ ...UPRIGHT, beta: 45 })).toEqual([0, -45, 0]);
});

it("held on its side, the picture turned with it is level", () => {
  // Its top to the left: the screen is turned by 90°, and gamma says how far it leans.
  expect(seen({ alpha: 0, beta: 0, gamma: -90 }, 90)).toEqual([90, 0, 0]);
  expect(seen({ alpha: 90, beta: 0, gamma: -90 }, 90)).toEqual([0, 0, 0]);
  expect(seen({ alpha: 90, beta: 0, gamma: -60 }, 90)).toEqual([0, -30, 0]);
});

it("held askew, the picture is turned back", () => {
  // On its side without the picture following: top to the left is a quarter turn against the clock.
  expect(seen({ alpha: 90, beta: 0, gamma: -90 })).toEqual([0, 0, -90]);
});

it("flat on the table it looks at the table", () => {
  expect(seen({ alpha: 0, beta: 0, gamma: 0 })[1]).toBe(-90);
});
