import { describe, expect, it } from "vitest";
import { PLANET, radians, START } from "../view";
import { apply, product, rayThrough, rotation, transposed, turned } from "./camera";
import { equirectangular } from "./equirectangular";
import { surroundOf } from "./projection";

/** Where in the picture the point of the screen lies. */
const seen = (yaw: number, pitch: number, x = 0, y = 0): readonly [number, number] => {
  const [{ u, v } = { u: NaN, v: NaN }] = equirectangular().locate(rayThrough({ ...START, yaw, pitch }, 16 / 9, x, y));
  return [u, v];
};

describe("the centre of the screen", () => {
  it.each([
    ["front", 0, 0, 0.5, 0.5],
    ["right", 90, 0, 0.75, 0.5],
    ["left", -90, 0, 0.25, 0.5],
    ["up a little", 0, 45, 0.5, 0.25],
    ["down a little", 0, -45, 0.5, 0.75],
    ["right and up", 90, 30, 0.75, 60 / 180],
    ["left and down", -135, -60, 45 / 360, 150 / 180],
  ])("shows what lies %s", (_, yaw, pitch, u, v) => {
    const [x, y] = seen(yaw, pitch);
    expect(x).toBeCloseTo(u, 9);
    expect(y).toBeCloseTo(v, 9);
  });

  it("shows the seam when it looks back", () => {
    const [u, v] = seen(-180, 0);
    expect(Math.abs(u - 0.5)).toBeCloseTo(0.5, 9);
    expect(v).toBeCloseTo(0.5, 9);
  });

  it("shows the poles when it looks up or down, whatever the yaw", () => {
    for (const yaw of [-180, -90, 0, 33, 90]) {
      expect(seen(yaw, 90)[1]).toBeCloseTo(0, 6);
      expect(seen(yaw, -90)[1]).toBeCloseTo(1, 6);
    }
  });
});

describe("the rest of the screen", () => {
  it("has right on the right and up at the top, wherever one looks", () => {
    for (const yaw of [-120, 0, 60]) {
      const [u, v] = seen(yaw, 0);
      expect(seen(yaw, 0, 0.5, 0)[0]).toBeGreaterThan(u);
      expect(seen(yaw, 0, -0.5, 0)[0]).toBeLessThan(u);
      expect(seen(yaw, 0, 0, 0.5)[1]).toBeLessThan(v);
      expect(seen(yaw, 0, 0, -0.5)[1]).toBeGreaterThan(v);
    }
  });

  it("spans the vertical field of view from top to bottom", () => {
    expect(seen(0, 0, 0, 1)[1]).toBeCloseTo((90 - START.fov / 2) / 180, 9);
    expect(seen(0, 0, 0, -1)[1]).toBeCloseTo((90 + START.fov / 2) / 180, 9);
  });
});

it("a flat picture is not drawn, and an equirectangular one is", () => {
  expect(surroundOf({ kind: "flat" })).toBeUndefined();
  expect(surroundOf({ kind: "equirectangular" })?.closes).toBe(true);
});

it("a picture that covers less than all around has nothing beyond its edges", () => {
  const half = equirectangular([180, 90]);
  const at = (yaw: number, pitch: number) => half.locate(rayThrough({ ...START, yaw, pitch }, 1, 0, 0));
  expect(half.closes).toBe(false);
  expect(at(45, 22.5)).toEqual([{ u: expect.closeTo(0.75, 9), v: expect.closeTo(0.25, 9), weight: 1 }]);
  expect([...at(100, 0), ...at(0, 50), ...at(180, 0)]).toEqual([]);
});

const close = (a: readonly number[], b: readonly number[]) =>
  a.forEach((part, i) => expect(part).toBeCloseTo(b[i] ?? NaN, 9));

describe("what is turned", () => {
  const ahead = [0, 0, -1] as const;
  it("is rolled first, then raised, then turned around", () => {
    close(
      apply(turned({ yaw: 30, pitch: 20, roll: 77 }), ahead),
      rayThrough({ ...START, yaw: 30, pitch: 20 }, 1, 0, 0),
    );
    close(apply(turned({ yaw: 0, pitch: 0, roll: 90 }), [0, 1, 0]), [1, 0, 0]);
    close(apply(turned({ yaw: 90, pitch: 0, roll: 90 }), [0, 1, 0]), [0, 0, 1]);
  });

  it("is turned back by the transposed", () => {
    const matrix = turned({ yaw: 30, pitch: -20, roll: 10 });
    close(product(matrix, transposed(matrix)), [1, 0, 0, 0, 1, 0, 0, 0, 1]);
    close(turned({ yaw: 12, pitch: 34, roll: 0 }), rotation({ yaw: 12, pitch: 34 }));
  });
});

const seenAt = (x: number, y: number, look = PLANET) => rayThrough(look, 1, x, y);

describe("a planet", () => {
  it("has the ground in its middle, and what is ahead above it", () => {
    close(seenAt(0, 0), [0, -1, 0]);
    const half = radians(PLANET.fov / 2);
    close(seenAt(0, 1), [0, -Math.cos(half), -Math.sin(half)]);
    close(seenAt(1, 0), [Math.sin(half), -Math.cos(half), 0]);
    close(seenAt(0, 1, { ...PLANET, yaw: 90 }), [Math.sin(half), -Math.cos(half), 0]);
  });

  it("shows the horizon as a circle", () => {
    const radius = Math.tan(Math.PI / 4) / Math.tan(radians(PLANET.fov) / 4);
    for (const angle of [0, 1, 2, 3, 4, 5, 6]) {
      expect(seenAt(radius * Math.cos(angle), radius * Math.sin(angle))[1]).toBeCloseTo(0, 9);
    }
  });
});
