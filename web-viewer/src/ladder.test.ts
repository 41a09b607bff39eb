import { beforeEach, describe, expect, it } from "vitest";
import { Ladder, type Arrived } from "./ladder";

const COUNT = 3;

let ladder: Ladder;
let now = 0;
let arrived: Arrived;

beforeEach(() => {
  now = 0;
  ladder = new Ladder(now);
  arrived = { received: 0, lost: 0, freezes: 0 };
});

/** Seconds pass, in each of which so much of a hundred packets is lost. Returns where it ends. */
function pass(seconds: number, lost = 0, freezes = 0): number {
  for (let second = 0; second < seconds; second++) {
    now += 1000;
    arrived = {
      received: arrived.received + 100 - lost,
      lost: arrived.lost + lost,
      freezes: arrived.freezes + freezes,
    };
    ladder.sampled(arrived, ladder.place, COUNT, now);
  }
  return ladder.place;
}

describe("a path that carries less than the best", () => {
  it("gets the next lower quality after seconds of loss, down to the lowest", () => {
    expect(pass(10)).toBe(0);
    expect(pass(1, 20)).toBe(0);
    expect(pass(1, 20)).toBe(1);
    expect(pass(60, 20)).toBe(2);
  });

  it("gets it when the picture stands still, too", () => {
    pass(5);
    expect(pass(2, 0, 1)).toBe(1);
  });

  it("keeps what it has when little is lost, or much once", () => {
    pass(5);
    expect(pass(30, 4)).toBe(0);
    for (let time = 0; time < 5; time++) {
      expect(pass(1, 50)).toBe(0);
      expect(pass(3)).toBe(0);
    }
  });

  it("is not blamed for what is lost while it changes", () => {
    expect(pass(2, 50)).toBe(0);
    pass(3);
    expect(pass(2, 50)).toBe(1);
    expect(pass(2, 50)).toBe(1);
  });
});

describe("a path that carries more again", () => {
  it("is tried after a while, and not while packets are lost", () => {
    pass(5);
    pass(2, 20);
    expect(pass(60, 3)).toBe(1);
    expect(pass(14)).toBe(1);
    expect(pass(2)).toBe(0);
  });

  it("is tried less and less often when that goes wrong, and as before after it went well", () => {
    const waits: number[] = [];
    pass(5);
    pass(2, 20);
    for (let time = 0; time < 3; time++) {
      let seconds = 0;
      while (pass(1) > 0) seconds += 1;
      waits.push(seconds);
      pass(3);
      expect(pass(2, 20)).toBe(1);
    }
    expect(waits).toEqual([14, 29, 59]);
    pass(200);
    pass(2, 20);
    expect(pass(13)).toBe(1);
    expect(pass(3)).toBe(0);
  });
});

it("nothing is judged by what was counted of another picture", () => {
  pass(10);
  arrived = { received: 0, lost: 0, freezes: 0 };
  ladder.turned(now);
  expect(pass(20)).toBe(0);
});
