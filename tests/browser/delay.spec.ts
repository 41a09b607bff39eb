import { type Page, expect, test } from "@playwright/test";

import { WallClock } from "./support/clock.ts";
import { figures, overlaps, watchStatistics } from "./support/delays.ts";
import { frames, quantile, recordFrames } from "./support/frames.ts";
import { Programs } from "./support/programs.ts";

// A small window, since drawing in software is what takes the time here.
test.use({ viewport: { width: 400, height: 300 } });

let programs: Programs;
let clock: WallClock;

test.beforeEach(async () => {
  programs = await Programs.start();
  clock = new WallClock();
});
test.afterEach(async () => {
  await programs.stop();
  clock.remove();
});

const robot = (source: string): string => `
[media]
listen = "127.0.0.1:0"

[[cameras]]
id = "main"
source = "${source}"
width = 640
height = 320
bitrate = 800000
`;

const HOUR = 3600;
const ENOUGH = 120;

async function watch(page: Page, source: string): Promise<void> {
  await programs.startRobot(robot(source), clock.environment);
  await recordFrames(page);
  await page.goto(`${programs.url}/watch/demo`);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  await watchStatistics(page);
}

for (const source of ["test-flat", "test"]) {
  for (const [ahead, within] of [
    [0, 10],
    [HOUR, 25],
    [-HOUR, 25],
  ] as const) {
    const whose = ahead === 0 ? "as the page's" : `${ahead} s ahead of the page's`;
    test(`the delay of "${source}" is what the stamps in its pictures say, by a clock ${whose}`, async ({ page }) => {
      clock.set(ahead);
      await watch(page, source);
      await expect.poll(async () => (await overlaps(page, ahead)).frames).toBeGreaterThan(ENOUGH);
      const { differences, told, stamped } = await overlaps(page, ahead);
      const off = quantile(differences.map(Math.abs), 0.5);
      const worst = Math.max(...differences.map(Math.abs));
      console.log(
        `capture → screen, "${source}", clock ${ahead} s ahead: told ${told.toFixed(0)}, stamped ${stamped.toFixed(0)}, ` +
          `apart by ${off.toFixed(1)} ms (median of ${differences.length}), ${worst.toFixed(1)} at most`,
      );
      expect(off).toBeLessThanOrEqual(within);
    });
  }
}

test("a robot's clock that is set while somebody watches makes no delay wrong", async ({ page }) => {
  await watch(page, "test-flat");
  for (const ahead of [HOUR, -HOUR, 2]) {
    const before = await figures(page);
    clock.set(ahead);
    const { count } = await frames(page);
    // What is of the time before is shown for two seconds at most.
    await expect.poll(async () => (await frames(page)).count).toBeGreaterThan(count + 75);
    const then = (await figures(page)).length;
    await expect
      .poll(async () => (await figures(page)).slice(then).filter(({ delay }) => delay !== undefined).length)
      .toBeGreaterThan(3);
    const all = (await figures(page)).slice(before.length).map(({ delay }) => delay);
    console.log(`clock set to ${ahead} s ahead: ${all.map((delay) => delay?.toFixed(0) ?? "unknown").join(", ")} ms`);
    // Nobody's picture was late by a second, so this would be a clock's doing.
    for (const delay of all) expect(delay ?? 0).toBeLessThan(1000);
    const { differences } = await overlaps(page, ahead, then);
    expect(quantile(differences.map(Math.abs), 0.5)).toBeLessThanOrEqual(25);
  }
});
