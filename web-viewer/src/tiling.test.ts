import { expect, it } from "vitest";
import { columnsFor, rungFor } from "./tiling";

it.each([
  // A desk, a phone upright, one on its side, and a page that is not laid out yet.
  [1280, 660, [1, 2, 2, 2, 3, 3, 3, 3, 3]],
  [390, 750, [1, 1, 1, 1, 1, 1, 2, 2, 2]],
  [800, 340, [1, 2, 2, 2, 3, 3, 3, 3, 3]],
  [0, 0, [1, 1, 1, 1, 1, 1, 1, 1, 1]],
])("on %d×%d pixels tiles are as large as they can be", (width, height, columns) => {
  expect(columns.map((_, at) => columnsFor(at + 1, width, height))).toEqual(columns);
});

it("a tile asks for no more than it has room for, and a large one for all there is", () => {
  const rungs = [{ width: 1920 }, { width: 960 }, { width: 480 }];
  expect([200, 480, 481, 960, 1000, 3000].map((width) => rungFor(rungs, width))).toEqual([2, 2, 1, 1, 0, 0]);
  expect(rungFor([], 400)).toBe(0);
});
