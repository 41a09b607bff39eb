import type { Page } from "@playwright/test";

import { quantile } from "./frames.ts";
import type { Lean } from "./imu.ts";

declare global {
  interface Window {
    /** Every picture that was drawn: when it was captured, by the stamp in it, and how far it was raised. */
    drawn: { captured: number; pitch: number }[];
  }
}

/** A robot that rocks: its nose goes up and down once a second. */
const DEGREES = 15;
export const PERIOD = 1000;

export function rocking(now: number): Lean {
  return { roll: 0, pitch: DEGREES * Math.sin((2 * Math.PI * now) / PERIOD) };
}

/** Begins to record how each picture is levelled, beside `recordFrames`. */
export async function recordLevel(page: Page): Promise<void> {
  await page.addInitScript(() => {
    window.drawn = [];
    const context = WebGL2RenderingContext.prototype as unknown as Record<string, (...args: unknown[]) => unknown>;
    const draw = context["uniformMatrix3fv"];
    context["uniformMatrix3fv"] = function (this: unknown, ...args: unknown[]) {
      const [, , , , , , , y = 0, z = 0] = Array.from(args[2] as ArrayLike<number>);
      const captured = window.recorded.seen.at(-1)?.captured;
      // The eye looks straight ahead: where it looks from the robot is what levels the picture.
      if (captured !== undefined) window.drawn.push({ captured, pitch: (Math.atan2(-y, z) * 180) / Math.PI });
      return draw?.apply(this, args);
    };
  });
}

/** By how many degrees the pictures of a rocking robot were askew since this was asked last, in the middle. */
export async function askew(page: Page): Promise<number> {
  const drawn = await page.evaluate(() => window.drawn.splice(0));
  if (drawn.length < 20) return Infinity;
  return quantile(
    drawn.map(({ captured, pitch }) => Math.abs(pitch + rocking(captured + nearest(captured)).pitch)),
    0.5,
  );
}

/** Stamps are modulo 2³²; what is to be added for the time that they mean. */
function nearest(captured: number): number {
  return Math.round((Date.now() - captured) / 2 ** 32) * 2 ** 32;
}
