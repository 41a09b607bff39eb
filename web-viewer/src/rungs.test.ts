import { expect, it } from "vitest";
import { placeOf } from "./rungs";

/** What is taken for each of so many, of those that came. */
const places = (rungs: number, came: number): number[] =>
  Array.from({ length: rungs }, (_, rung) => placeOf(rung, rungs, came));

it("each quality is taken for what it is, or the one next to it that came", () => {
  expect(places(1, 1)).toEqual([0]);
  expect(places(2, 2)).toEqual([0, 1]);
  expect(places(3, 3)).toEqual([0, 1, 2]);
  expect(places(4, 3)).toEqual([0, 1, 1, 2]);
  // An uplink that the best is too much for.
  expect(places(2, 1)).toEqual([0, 0]);
  expect(places(3, 2)).toEqual([0, 0, 1]);
  expect(places(4, 2)).toEqual([0, 0, 0, 1]);
});
