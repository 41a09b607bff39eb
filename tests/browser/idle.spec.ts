import { type Page, expect, test } from "@playwright/test";

import { Programs } from "./support/programs.ts";

// A small window, since drawing in software is what takes the time here.
test.use({ viewport: { width: 400, height: 300 } });

let programs: Programs;

test.beforeEach(async () => {
  programs = await Programs.start();
});
test.afterEach(() => programs.stop());

declare global {
  interface Window {
    /** How often the page has given the GPU something to do, or asked for an animation frame. */
    worked: Record<string, number>;
    /** Comes after that many animation frames, none of which it counts. */
    animated(frames: number): Promise<void>;
  }
}

/** Runs inside the page: everything that it needs stands in it. */
function countWork(): void {
  const worked: Record<string, number> = {};
  window.worked = worked;
  const counted = (owner: Record<string, unknown>, name: string): void => {
    const own = owner[name] as (this: unknown, ...given: unknown[]) => unknown;
    owner[name] = function count(this: unknown, ...given: unknown[]): unknown {
      worked[name] = (worked[name] ?? 0) + 1;
      return own.apply(this, given);
    };
  };
  const next = requestAnimationFrame.bind(window);
  window.animated = (frames) =>
    new Promise((resolve) => {
      const after = (left: number): void => {
        if (left === 0) resolve();
        else next(() => after(left - 1));
      };
      after(frames);
    });
  counted(window as unknown as Record<string, unknown>, "requestAnimationFrame");
  const context = WebGL2RenderingContext.prototype as unknown as Record<string, unknown>;
  for (const name of ["drawArrays", "drawElements", "clear", "texImage2D", "texSubImage2D"]) counted(context, name);
}

const worked = (page: Page): Promise<Record<string, number>> => page.evaluate(() => ({ ...window.worked }));
const drawn = async (page: Page): Promise<number> => (await worked(page))["drawArrays"] ?? 0;

test("a still view draws nothing while no picture comes, and once for each turn", async ({ page }) => {
  await page.addInitScript(countWork);
  const robot = await programs.startRobot();
  await page.goto(`${programs.url}/watch/demo`);
  const state = page.locator("body");
  await expect(state).toHaveAttribute("data-state", "live");
  await expect.poll(() => drawn(page)).toBeGreaterThan(10);

  await robot.kill();
  await expect(state).not.toHaveAttribute("data-state", "live");
  await page.evaluate(() => window.animated(2));
  const before = await worked(page);
  await page.evaluate(() => window.animated(120));
  expect(await worked(page)).toEqual(before);

  await page.locator("#panorama").focus();
  await page.keyboard.press("ArrowRight");
  await page.evaluate(() => window.animated(60));
  expect(await drawn(page)).toBe((before["drawArrays"] ?? 0) + 1);
});
