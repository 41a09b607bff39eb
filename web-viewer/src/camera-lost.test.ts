import { beforeEach, expect, it } from "vitest";
import { asks, Bench } from "./testbench";

const LOST = { code: "camera_lost", message: "" } as const;

let bench: Bench;

beforeEach(() => {
  bench = new Bench();
  bench.live();
});

it("a camera that is lost is waited for in the same session", () => {
  bench.hear("notice", LOST, { session: "s1" });
  expect(asks(bench.pass(60))).toEqual([]);
  expect(bench.view.kind).toBe("cameraLost");
  bench.pass(1, "flows");
  expect(bench.view.kind).toBe("live");
});

it("once it is back, silence is what it was before", () => {
  bench.hear("notice", LOST, { session: "s1" });
  bench.pass(20);
  bench.pass(1, "flows");
  expect(asks(bench.pass(10)).length).toBeGreaterThan(0);
});

it("another session's camera is not ours", () => {
  bench.hear("notice", LOST, { session: "s2" });
  bench.hear("notice", LOST);
  expect(bench.view.kind).toBe("live");
  expect(asks(bench.pass(10)).length).toBeGreaterThan(0);
});
