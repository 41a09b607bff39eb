import { expect, it } from "vitest";
import { clock, fileName, megabytes } from "./measures";

it("times are written as clocks show them", () => {
  expect([0, 7.9, 65, 754, 3600, 36_061].map(clock)).toEqual(["0:00", "0:07", "1:05", "12:34", "1:00:00", "10:01:01"]);
});

it("sizes are megabytes", () => {
  expect([0, 12_345_678].map(megabytes)).toEqual(["0.0 MB", "12.3 MB"]);
});

it("files are called after what they show, and when", () => {
  const at = new Date(2026, 0, 2, 3, 4, 5);
  expect(fileName("demo main", at, "jpg")).toBe("demo-main-2026-01-02T03-04-05.jpg");
  expect(fileName("../../etc/passwd", at, "jpg")).toBe("etc-passwd-2026-01-02T03-04-05.jpg");
  expect(fileName("机器人 1", at, "mp4")).toBe("机器人-1-2026-01-02T03-04-05.mp4");
  expect(fileName("///", at, "webm")).toBe("panocast-2026-01-02T03-04-05.webm");
});
