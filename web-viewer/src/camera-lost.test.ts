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

it("what was on its way when the camera was lost does not bring it back", () => {
  // Bytes that no sample has counted yet, and a frame that was held for the sound.
  bench.bytes += 5000;
  bench.hear("notice", LOST, { session: "s1" });
  bench.now += 300;
  bench.tell({ type: "frame", connection: 1 });
  expect(asks(bench.pass(60))).toEqual([]);
  expect(bench.view.kind).toBe("cameraLost");
});

it("what was on its way is told from what comes later even if nobody counts for a while", () => {
  bench.bytes += 5000;
  bench.hear("notice", LOST, { session: "s1" });
  bench.now += 40_000;
  // A page that is looked at again shows its last frame once more.
  bench.tell({ type: "frame", connection: 1 });
  expect(asks(bench.pass(60))).toEqual([]);
  expect(bench.view.kind).toBe("cameraLost");
});

it("a camera that is back at once is live at once, and soon watched as before", () => {
  bench.hear("notice", LOST, { session: "s1" });
  bench.now += 100;
  bench.tell({ type: "frame", connection: 1 });
  expect(bench.view.kind).toBe("live");
  expect(asks(bench.pass(4, "flows"))).toEqual([]);
  expect(bench.view.kind).toBe("live");
  expect(asks(bench.pass(10)).length).toBeGreaterThan(0);
});

it("a session that ends while its camera is lost is replaced", () => {
  bench.hear("notice", LOST, { session: "s1" });
  bench.pass(2);
  bench.hear("notice", { code: "connection_failed", message: "" }, { session: "s1" });
  const [again] = asks(bench.pass(3));
  expect(again?.watch.resume).toBeUndefined();
  expect(again).toBeDefined();
});
