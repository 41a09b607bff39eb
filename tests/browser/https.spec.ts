import { expect, test } from "@playwright/test";

import { frames, recordFrames } from "./support/frames.ts";
import { Programs } from "./support/programs.ts";

test.use({ ignoreHTTPSErrors: true });

let programs: Programs;

test.beforeAll(async () => {
  programs = await Programs.startEncrypted();
  // It knows the server by its fingerprint, or would not be live.
  await programs.startRobot();
});
test.afterAll(() => programs.stop());

test("a server that signs its certificate itself shows the picture, encrypted", async ({ page }) => {
  await recordFrames(page);
  await page.goto(`${programs.url}/watch/demo`);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  await expect.poll(async () => (await frames(page)).count).toBeGreaterThan(10);
  expect(await page.evaluate(() => isSecureContext)).toBe(true);
});

test("whoever types http is sent on to https, on the same port", async ({ page }) => {
  await page.goto(`${programs.url.replace("https:", "http:")}/watch/demo`);
  await page.waitForURL(/^https:/);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
});
