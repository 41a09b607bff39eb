import { expect, test } from "@playwright/test";

import type { Overview, ViewerOverview } from "../../web-viewer/src/protocol.gen.ts";
import { Programs } from "./support/programs.ts";

let programs: Programs;

test.beforeAll(async () => {
  programs = await Programs.start('[metrics]\nreport_every = "1s"');
  await programs.startRobot();
});
test.afterAll(() => programs.stop());

async function viewer(): Promise<ViewerOverview | undefined> {
  const response = await fetch(`${programs.url}/api/v1/overview`);
  return ((await response.json()) as Overview).robots[0]?.viewers[0];
}

test("the server learns from the page how the picture comes, and nothing while nobody looks", async ({ page }) => {
  await page.goto(`${programs.url}/watch/demo`);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  await expect.poll(async () => (await viewer())?.shown?.delay, { message: "a delay" }).toBeGreaterThan(0);
  // A busy machine is late for a second, but not always.
  await expect.poll(async () => (await viewer())?.shown?.fps).toBeGreaterThan(20);
  const { shown, sent } = (await viewer()) ?? {};
  console.log(`reported: ${JSON.stringify({ shown, sent })}`);
  expect(shown?.relayed).toBe(false);
  expect(sent?.rung).toBeDefined();

  const figures = await fetch(`${programs.url}/metrics`).then((response) => response.text());
  expect(figures).toMatch(/^panocast_viewer_delay_seconds_count\{robot="demo"\} [1-9]/mu);

  // As a page is told that its tab is not looked at; what it said last is forgotten soon, its session is not.
  await page.evaluate(() => {
    Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
    Object.defineProperty(document, "hidden", { get: () => true });
    document.dispatchEvent(new Event("visibilitychange"));
  });
  await expect
    .poll(async () => (await viewer())?.sent !== undefined && (await viewer())?.shown === undefined)
    .toBe(true);
});
