import { beforeEach, describe, expect, it } from "vitest";
import { Ladder, type Arrived } from "./ladder";

const COUNT = 3;

let ladder: Ladder;
let now = 0;
let arrived: Arrived;
/** What is shown, and how many seconds another one takes to come. */
let shown = 0;
let best = 0;
let comes = 1;
let waited = 0;

beforeEach(() => {
  [now, shown, best, comes, waited] = [0, 0, 0, 1, 0];
  ladder = new Ladder(now);
  arrived = { received: 0, lost: 0, freezes: 0, moved: 0 };
});

interface Second {
  lost?: number;
  freezes?: number;
  moved?: number;
  packets?: number;
}

/** Seconds pass. Returns what is shown in the end. */
function pass(seconds: number, { lost = 0, freezes = 0, moved = 30, packets = 100 }: Second = {}): number {
  for (let second = 0; second < seconds; second++) {
    now += 1000;
    arrived = {
      received: arrived.received + packets - lost,
      lost: arrived.lost + lost,
      freezes: arrived.freezes + freezes,
      moved: arrived.moved + moved,
    };
    ladder.sampled(arrived, { shown, best, count: COUNT }, now);
    waited = ladder.place === shown ? 0 : waited + 1;
    if (waited <= comes) continue;
    shown = ladder.place;
    arrived = { received: 0, lost: 0, freezes: 0, moved: 0 };
    ladder.turned(now);
    waited = 0;
  }
  return shown;
}

/** It is on the second place. */
function lower(): void {
  pass(5);
  pass(2, { lost: 20 });
  expect(pass(2)).toBe(1);
}

describe("a path that carries less than the best", () => {
  it("gets the next lower quality after seconds of loss, down to the lowest", () => {
    expect(pass(10)).toBe(0);
    pass(1, { lost: 20 });
    expect(ladder.place).toBe(0);
    pass(1, { lost: 20 });
    expect(ladder.place).toBe(1);
    expect(pass(60, { lost: 20 })).toBe(2);
  });

  it.each([
    ["freezes", { freezes: 1 }],
    ["stands still", { moved: 0 }],
  ])("gets it when the picture %s, too", (_, second) => {
    pass(5);
    pass(2, second);
    expect(ladder.place).toBe(1);
  });

  it("keeps what it has when little is lost, or much once, or nothing comes at all", () => {
    pass(5);
    expect(pass(30, { lost: 4 })).toBe(0);
    for (let time = 0; time < 5; time++) {
      pass(1, { lost: 50 });
      expect(pass(3)).toBe(0);
    }
    expect(pass(30, { packets: 0, moved: 0 })).toBe(0);
    expect(pass(30, { packets: 30, lost: 2 })).toBe(0);
  });

  it("is not blamed for what is lost while it changes", () => {
    expect(pass(2, { lost: 50 })).toBe(0);
    lower();
    pass(2, { lost: 50 });
    expect(ladder.place).toBe(1);
  });
});

/** How long it is from one try that goes wrong to the next, in quarters of a minute. */
function waits(goesWrong: () => void): number[] {
  return [1, 2, 3].map(() => {
    let seconds = 0;
    for (; ladder.place > 0 && seconds < 1000; seconds++) pass(1);
    goesWrong();
    expect(ladder.place).toBe(1);
    pass(2);
    return Math.round(seconds / 15);
  });
}

describe("a path that carries more again", () => {
  it("is tried after a while, and not while packets are lost", () => {
    lower();
    expect(pass(60, { lost: 3 })).toBe(1);
    pass(14);
    expect(ladder.place).toBe(1);
    pass(2);
    expect(ladder.place).toBe(0);
  });

  it("is not tried where a better one is of no use, and is when it is", () => {
    lower();
    best = 1;
    expect(pass(60)).toBe(1);
    expect(ladder.place).toBe(1);
    best = 0;
    expect(pass(3)).toBe(0);
  });

  it("is tried though a packet is lost now and then", () => {
    lower();
    expect(pass(20, { packets: 30, lost: 1 })).toBe(0);
  });

  it("is tried less and less often when that goes wrong, and as before after it went well", () => {
    lower();
    // Longer than a try counts, were it counted from when it was asked for.
    comes = 3;
    const wrong = waits(() => {
      expect(pass(4)).toBe(0);
      pass(3);
      pass(2, { lost: 20 });
    });
    expect(wrong).toEqual([1, 2, 4]);
    pass(400);
    pass(2, { lost: 20 });
    expect(ladder.place).toBe(1);
    pass(5);
    expect(pass(18)).toBe(0);
  });

  it("keeps what is shown when the better one does not come, or there is no room for both", () => {
    lower();
    comes = 1000;
    expect(waits(() => pass(5))).toEqual([1, 2, 4]);
    let seconds = 0;
    for (; ladder.place > 0 && seconds < 1000; seconds++) pass(1);
    pass(2, { lost: 20 });
    expect(ladder.place).toBe(1);
    expect(shown).toBe(1);
  });
});
