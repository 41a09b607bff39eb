import { expect, test } from "@playwright/test";

import { frames, recordFrames } from "./support/frames.ts";
import { Programs } from "./support/programs.ts";

let programs: Programs;

test.beforeEach(async () => {
  programs = await Programs.start();
});
test.afterEach(() => programs.stop());

declare global {
  interface Window {
    /** What the page has shown since, and how the picture looked. */
    states: { state: string | undefined; filter: string }[];
  }
}

/** Runs inside the page. */
function noteStates(): void {
  window.states = [];
  const stage = document.querySelector("#stage");
  const { body } = document;
  new MutationObserver(() => {
    if (stage) window.states.push({ state: body.dataset["state"], filter: getComputedStyle(stage).filter });
  }).observe(body, { attributeFilter: ["data-state"] });
}

test("a robot that was killed and started again is seen again without a reload", async ({ page }) => {
  const robot = await programs.startRobot();
  await recordFrames(page);
  await page.goto(`${programs.url}/watch/demo`);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  await page.evaluate(() => document.body.setAttribute("data-untouched", ""));
  await page.evaluate(noteStates);

  await robot.kill();
  const killed = Date.now();
  programs.launchRobot();
  // The stamps of the new robot's pictures are later than the kill.
  const shown = async (): Promise<number> => ((await frames(page)).stamp ?? 0) - (killed % 2 ** 32);
  await expect.poll(shown, { timeout: 8000, intervals: [100] }).toBeGreaterThan(0);
  console.log(`robot killed and started again → moving picture: ${Date.now() - killed} ms`);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  await expect(page.locator("body")).toHaveAttribute("data-untouched", "");
  const states = await page.evaluate(() => window.states);
  expect(states.map(({ state }) => state)).toContain("reconnecting");
  // A frozen picture must not be taken for a live one.
  for (const { state, filter } of states) expect(filter === "none", state).toBe(state === "live");
});

test("a server that was killed and started again stops no picture and lets viewers in", async ({ page, browser }) => {
  await programs.startRobot();
  await recordFrames(page);
  await page.goto(`${programs.url}/watch/demo`);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  const session = await page.locator("body").getAttribute("data-session");
  await page.evaluate(() => {
    window.recorded.longestGap = 0;
  });

  await programs.killServer();
  const before = (await frames(page)).count;
  await expect.poll(async () => (await frames(page)).count).toBeGreaterThan(before + 60);
  await programs.startServer();
  // The page is back on its link when the server counts it as a viewer again.
  await expect.poll(() => programs.viewers()).toBe(1);
  const { count, longestGap } = await frames(page);
  await expect.poll(async () => (await frames(page)).count).toBeGreaterThan(count + 60);
  console.log(`server killed and started again: longest pause of the picture ${longestGap.toFixed(0)} ms`);
  expect(longestGap).toBeLessThan(2000);
  expect(await page.locator("body").getAttribute("data-session")).toBe(session);

  // A window of its own, since a tab that is covered is drawn once a second.
  const second = await browser.newPage();
  await recordFrames(second);
  await second.goto(`${programs.url}/watch/demo`);
  await expect.poll(async () => (await frames(second)).count).toBeGreaterThan(30);
  await second.close();
});

test("the page says why there is no picture", async ({ page }) => {
  await page.goto(`${programs.url}/watch/demo`);
  await expect(page.locator("#problem")).toContainText(/offline|not connected/i);
  await page.goto(`${programs.url}/watch/nobody`);
  await expect(page.locator("#problem")).toContainText(/nobody|unknown|no robot/i);
  // It waits, and the robot's arrival needs no reload.
  await page.goto(`${programs.url}/watch/demo`);
  await expect(page.locator("#problem")).toContainText(/offline|not connected/i);
  await programs.startRobot();
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
});
