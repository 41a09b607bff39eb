import { expect, test } from "vitest";
import { pathOf } from "./plot";

test("the highest value is at the top, and nothing at the bottom", () => {
  expect(pathOf([0, 5, 10])).toBe("M0.0 27.0L60.0 14.0L120.0 1.0");
});

test("the line is broken where nothing was measured", () => {
  expect(pathOf([1, undefined, 1, 1])).toBe("M0.0 1.0M80.0 1.0L120.0 1.0");
  expect(pathOf([undefined, undefined])).toBe("");
  expect(pathOf([])).toBe("");
});

test("what was always nothing is a line all the same", () => {
  expect(pathOf([0, 0])).toBe("M0.0 27.0L120.0 27.0");
});
