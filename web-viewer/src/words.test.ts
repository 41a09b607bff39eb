import { describe, expect, it } from "vitest";
import { CODES, isCode } from "./guards";
import { summaryOf } from "./home";
import { sentence, wordsFor } from "./words";

const codes = Object.keys(CODES).filter(isCode);

describe("every code", () => {
  it.each(codes)("%s is a sentence of its own, without jargon", (code) => {
    const text = sentence({ code, message: "for the operator" });
    expect(text).toMatch(/^[A-Z].+[.?]$/);
    expect(text).not.toContain("_");
    expect(codes.filter((other) => sentence({ code: other, message: "" }) === text)).toEqual([code]);
  });
});

describe("words", () => {
  it("call nothing but a moving picture live", () => {
    const notice = { code: "robot_offline", message: "" } as const;
    const others = [
      wordsFor({ kind: "connecting" }),
      wordsFor({ kind: "reconnecting" }),
      wordsFor({ kind: "stalled", seconds: 2 }),
      wordsFor({ kind: "waiting", notice }),
      wordsFor({ kind: "refused", notice, final: false }),
      wordsFor({ kind: "failed", link: true }),
    ];
    for (const words of others) {
      expect(words.mark).not.toBe("live");
      expect(`${words.badge} ${words.state}`).not.toMatch(/\blive\b/i);
    }
    expect(wordsFor({ kind: "live" })).toMatchObject({ mark: "live", state: "Live", badge: "LIVE", problem: "" });
  });

  it("count a stall in the badge, and leave the status line in peace", () => {
    expect(wordsFor({ kind: "stalled", seconds: 1 }).badge).toBe("Delayed");
    const [four, five] = [wordsFor({ kind: "stalled", seconds: 4 }), wordsFor({ kind: "stalled", seconds: 5 })];
    expect([four.badge, five.badge]).toEqual(["Stalled 4 s", "Stalled 5 s"]);
    expect(four.state).toBe(five.state);
  });

  it("tell an absent robot from an unreachable one and from an unreachable server", () => {
    const problems = [
      wordsFor({ kind: "waiting", notice: { code: "robot_offline", message: "" } }).problem,
      wordsFor({ kind: "failed", link: true }).problem,
      wordsFor({ kind: "failed", link: false }).problem,
    ];
    expect(new Set(problems).size).toBe(3);
    expect(problems).not.toContain("");
  });
});

it("the list of robots says clearly when it is empty", () => {
  const robot = { robot: "demo", cameras: [], viewers: 0 };
  expect(summaryOf([])).toMatch(/^No robot is live/);
  expect(summaryOf([robot])).toBe("One robot is live.");
  expect(summaryOf([robot, robot])).toBe("2 robots are live.");
  expect(summaryOf(undefined)).toMatch(/cannot be reached/);
});
