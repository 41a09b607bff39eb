import { describe, expect, it } from "vitest";
import type { Lens } from "../protocol.gen";
import { START } from "../view";
import { rayThrough } from "./camera";
import { dualFisheye, fisheye } from "./fisheye";

const EVEN: Lens = {
  rotation: { yaw: 0, pitch: 0, roll: 0 },
  center: [0.25, 0.5],
  focal: [0.15, 0.3],
  bend: { model: "kannala_brandt", k: [0, 0, 0, 0] },
  fov: 190,
  gain: 1,
};
const BACK: Lens = { ...EVEN, rotation: { yaw: 180, pitch: 0, roll: 0 }, center: [0.75, 0.5] };

const ray = (yaw: number, pitch: number) => rayThrough({ ...START, yaw, pitch }, 1, 0, 0);

describe("one lens", () => {
  const even = fisheye(EVEN);
  const locate = (direction: ReturnType<typeof ray>) => even.locate(direction);

  it("sees each angle equally far from its centre, right on the right and up above", () => {
    const quarter = Math.PI / 4;
    expect(locate(ray(0, 0))).toEqual([{ u: 0.25, v: 0.5, weight: 1 }]);
    expect(locate(ray(45, 0))[0]?.u).toBeCloseTo(0.25 + 0.15 * quarter, 9);
    expect(locate(ray(0, 45))[0]?.v).toBeCloseTo(0.5 - 0.3 * quarter, 9);
    expect(locate(ray(94, 0))[0]?.u).toBeCloseTo(0.25 + (0.15 * (94 * Math.PI)) / 180, 9);
    expect(locate(ray(96, 0))).toEqual([]);
  });

  it("that is rolled clockwise sees what is up on the left", () => {
    const rolled = fisheye({ ...EVEN, rotation: { yaw: 0, pitch: 0, roll: 90 } });
    const [{ u, v } = { u: NaN, v: NaN }] = rolled.locate(ray(0, 45));
    expect(u).toBeCloseTo(0.25 - (0.15 * Math.PI) / 4, 9);
    expect(v).toBeCloseTo(0.5, 9);
  });

  it("bends as its calibration says", () => {
    const k = [0.1, -0.02, 0.003, -0.0001] as const;
    const bent = fisheye({ ...EVEN, bend: { model: "kannala_brandt", k: [...k] } });
    const angle = Math.PI / 3;
    const distance = angle + k[0] * angle ** 3 + k[1] * angle ** 5 + k[2] * angle ** 7 + k[3] * angle ** 9;
    expect(bent.locate(ray(60, 0))[0]?.u).toBeCloseTo(0.25 + 0.15 * distance, 9);
    const mei = fisheye({ ...EVEN, bend: { model: "mei", xi: 1, k: [0.1, 0], p: [0.01, 0.02] } });
    // From a sphere's far end: the tangent of half the angle.
    const half = Math.tan(angle / 2);
    const [{ u, v } = { u: NaN, v: NaN }] = mei.locate(ray(60, 0));
    expect(u).toBeCloseTo(0.25 + 0.15 * (half * (1 + 0.1 * half ** 2) + 0.02 * 3 * half ** 2), 9);
    expect(v).toBeCloseTo(0.5 + 0.3 * 0.01 * half ** 2, 9);
  });
});

describe("two lenses", () => {
  const both = dualFisheye([EVEN, BACK], 4);
  const locate = (direction: ReturnType<typeof ray>) => both.locate(direction);
  const weights = (yaw: number) => {
    const seen = locate(ray(yaw, 0));
    return [true, false].map((first) => seen.find(({ u }) => u < 0.5 === first)?.weight ?? 0);
  };

  it("are mixed where both see, and only near the middle of that", () => {
    expect(weights(0)).toEqual([1, 0]);
    expect(weights(180)).toEqual([0, 1]);
    expect(weights(87)).toEqual([1, 0]);
    expect(weights(-93)).toEqual([0, 1]);
    for (const side of [-1, 1]) {
      const [first = NaN, second = NaN] = weights(90 * side);
      expect(first).toBeCloseTo(0.5, 9);
      expect(second).toBeCloseTo(0.5, 9);
      expect(weights(91 * side)[0]).toBeCloseTo(0.25, 9);
    }
  });

  it("leave nothing unseen, and what neither sees is nowhere", () => {
    for (let yaw = -180; yaw < 180; yaw++) expect(locate(ray(yaw, 10)).length).toBeGreaterThan(0);
    const narrow = dualFisheye(
      [
        { ...EVEN, fov: 170 },
        { ...BACK, fov: 170 },
      ],
      4,
    );
    expect(narrow.locate(ray(90, 0))).toEqual([]);
    expect(narrow.locate(ray(80, 0))).toHaveLength(1);
  });
});
