import { describe, expect, it } from "vitest";
import {
  bounded,
  dragged,
  FOV,
  hashOf,
  lookFromHash,
  lookFromQuery,
  PLANET,
  START,
  stepped,
  turned,
  zoomed,
} from "./view";

const [NEAREST, WIDEST] = FOV.window;

describe("a look", () => {
  it("keeps yaw in [-180, 180) and goes round", () => {
    expect(bounded({ ...START, yaw: 180 }).yaw).toBe(-180);
    expect(bounded({ ...START, yaw: -180 }).yaw).toBe(-180);
    expect(turned({ ...START, yaw: 170 }, 20, 0).yaw).toBeCloseTo(-170);
    expect(turned({ ...START, yaw: -170 }, -20, 0).yaw).toBeCloseTo(170);
    expect(bounded({ ...START, yaw: 725 }).yaw).toBeCloseTo(5);
  });

  it("stops at the poles and at both ends of the zoom", () => {
    expect(turned(START, 0, 500).pitch).toBe(90);
    expect(turned(START, 0, -500).pitch).toBe(-90);
    expect(zoomed(START, 100).fov).toBe(WIDEST);
    expect(zoomed(START, 0).fov).toBe(NEAREST);
  });

  it("steps by a tenth of what is in view", () => {
    expect(stepped(START, 1, 0)).toEqual({ ...START, yaw: 7.5 });
    expect(stepped({ ...START, fov: 20 }, 0, -1)).toEqual({ ...START, pitch: -2, fov: 20 });
  });
});

describe("a drag", () => {
  it("moves the picture along with the finger", () => {
    // To the right: what lies to the left comes into view. Down: what lies above.
    expect(dragged(START, 100, 0, 600).yaw).toBeLessThan(0);
    expect(dragged(START, 0, 100, 600).pitch).toBeGreaterThan(0);
  });

  it("keeps what is under the finger there, near the centre of the screen", () => {
    const height = 600;
    const pixels = 10;
    const angle = (-dragged(START, pixels, 0, height).yaw * Math.PI) / 180;
    const moved = (Math.tan(angle) / Math.tan((START.fov / 2) * (Math.PI / 180))) * (height / 2);
    expect(moved).toBeCloseTo(pixels, 1);
  });

  it("turns faster near a pole, but not without end", () => {
    const level = dragged(START, 10, 0, 600).yaw;
    const high = dragged({ ...START, pitch: 60 }, 10, 0, 600).yaw;
    const pole = dragged({ ...START, pitch: 90 }, 10, 0, 600).yaw;
    expect(high / level).toBeCloseTo(2);
    expect(pole / level).toBeCloseTo(1 / 0.3);
  });

  it("does not break in a view without height", () => {
    expect(Number.isFinite(dragged(START, 5, 5, 0).yaw)).toBe(true);
  });
});

it("the address sets the first look, and nonsense in it does not", () => {
  expect(lookFromQuery("?yaw=90&pitch=10&fov=60")).toEqual({ ...START, yaw: 90, pitch: 10, fov: 60 });
  expect(lookFromQuery("")).toEqual(START);
  expect(lookFromQuery("?yaw=&pitch=up&fov=Infinity")).toEqual(START);
  expect(lookFromQuery("?yaw=270&pitch=100&fov=1")).toEqual({ ...START, yaw: -90, pitch: 90, fov: NEAREST });
});

it("a planet turns by keys no faster than what is through a window", () => {
  expect(stepped(PLANET, 1, 0).yaw).toBe(10);
  expect(zoomed(PLANET, 100).fov).toBe(FOV.planet[1]);
});

describe("an address behind its #", () => {
  it("carries a look there and back", () => {
    const looks = [START, PLANET, { ...START, yaw: -179.9, pitch: 12.3, fov: 33 }, { ...PLANET, yaw: 45 }];
    for (const look of looks) expect(lookFromHash(hashOf(look))).toEqual(look);
    expect(hashOf(START)).toBe("#0,0,75");
    expect(hashOf({ ...START, yaw: -0.01 })).toBe("#0,0,75");
    expect(hashOf(PLANET)).toBe("#0,-90,260,planet");
  });

  it("is brought to what can be shown", () => {
    expect(lookFromHash("#270,100,1")).toEqual({ ...START, yaw: -90, pitch: 90, fov: NEAREST });
  });

  it.each(["", "#", "#1,2", "#1,2,x", "#1,,3", "#1,2,3,cube", "#token=a.b.c"])("%s asks for no look", (hash) => {
    expect(lookFromHash(hash)).toBeUndefined();
  });
});
