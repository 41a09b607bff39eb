import { describe, expect, it } from "vitest";
import type { CubeCell, CubeFace, CubeLayout } from "../protocol.gen";
import { START } from "../view";
import { rayThrough } from "./camera";
import { cube } from "./cube";

const cell = (face: CubeFace, turn: CubeCell["turn"] = 0): CubeCell => ({ face, turn });

const PLAIN: CubeLayout = {
  columns: 3,
  cells: [cell("right"), cell("left"), cell("up"), cell("down"), cell("front"), cell("back")],
};
const TURNED: CubeLayout = {
  columns: 3,
  cells: [cell("left"), cell("front"), cell("right"), cell("down", 270), cell("back", 90), cell("up", 270)],
};

const seen = (layout: CubeLayout, equiangular: boolean, yaw: number, pitch: number) => {
  const [{ u, v } = { u: NaN, v: NaN }, ...more] = cube(layout, equiangular).locate(
    rayThrough({ ...START, yaw, pitch }, 1, 0, 0),
  );
  expect(more).toEqual([]);
  return [u, v];
};

const close = (found: readonly number[], [u, v]: readonly [number, number]) => {
  expect(found[0]).toBeCloseTo(u, 9);
  expect(found[1]).toBeCloseTo(v, 9);
};

describe("the faces of a cube", () => {
  it.each([
    ["right", 90, 0, 1 / 6, 1 / 4],
    ["left", -90, 0, 3 / 6, 1 / 4],
    ["up", 0, 90, 5 / 6, 1 / 4],
    ["down", 0, -90, 1 / 6, 3 / 4],
    ["front", 0, 0, 3 / 6, 3 / 4],
    ["back", -180, 0, 5 / 6, 3 / 4],
  ])("have %s in the middle of its cell", (_, yaw, pitch, u, v) => {
    close(seen(PLAIN, false, yaw, pitch), [u, v]);
  });

  it("are upright: up is above, right on the right, and up and down are as ahead sees them", () => {
    const half = (Math.atan(0.5) * 180) / Math.PI;
    close(seen(PLAIN, false, 0, half), [3 / 6, 5 / 8]);
    close(seen(PLAIN, false, half, 0), [7 / 12, 3 / 4]);
    close(seen(PLAIN, false, 180 - half, 0), [9 / 12, 3 / 4]);
    close(seen(PLAIN, false, 0, 90 - half), [5 / 6, 3 / 8]);
    close(seen(PLAIN, false, 90, 90 - half), [11 / 12, 1 / 4]);
    close(seen(PLAIN, false, 0, half - 90), [1 / 6, 5 / 8]);
  });

  it("may be turned, and spread their angles evenly", () => {
    close(seen(TURNED, true, 0, 22.5), [3 / 6, 1 / 8]);
    close(seen(TURNED, true, -112.5, 0), [1 / 12, 1 / 4]);
    close(seen(TURNED, true, 180, 22.5), [7 / 12, 3 / 4]);
    close(seen(TURNED, true, 0, 67.5), [11 / 12, 3 / 4]);
    close(seen(TURNED, true, 0, -67.5), [1 / 12, 3 / 4]);
    close(seen({ ...TURNED, columns: 1 }, true, 0, 67.5), [0.75, 11 / 12]);
  });

  it("keep away from each other by their padding", () => {
    const padded: CubeLayout = { ...TURNED, padding: [0.01, 0.02] };
    close(seen(padded, true, 0, 0), [0.5, 0.25]);
    close(seen(padded, true, 0, 45 - 1e-9), [0.5, 0.02]);
    close(seen(padded, true, -135 + 1e-9, 0), [0.01, 0.25]);
    close(seen(padded, true, 45, 0), [0.01 + (0.98 * 2) / 3, 0.25]);
  });

  it("leave nothing out", () => {
    for (const layout of [PLAIN, TURNED, { ...PLAIN, columns: 6 }, { ...PLAIN, columns: 2 }]) {
      for (let yaw = -180; yaw < 180; yaw += 15) {
        for (let pitch = -90; pitch <= 90; pitch += 15) {
          for (const share of seen(layout, true, yaw, pitch)) {
            expect(share).toBeGreaterThan(-1e-9);
            expect(share).toBeLessThan(1 + 1e-9);
          }
        }
      }
    }
  });
});
