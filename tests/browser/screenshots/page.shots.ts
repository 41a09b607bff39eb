import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";

import { devices, expect, test, type Page } from "@playwright/test";

import { distance, middle } from "../support/pixels.ts";
import { Programs } from "../support/programs.ts";
import { PATCHES } from "../support/scene.ts";

const file = (name: string): string => fileURLToPath(new URL(`../../../docs/${name}.png`, import.meta.url));

const ROBOT = `
[media]
listen = "127.0.0.1:0"

[[cameras]]
id = "main"
source = "test"
width = 1920
height = 960
fps = 15
bitrate = 8000000
`;

let programs: Programs;

test.beforeAll(async () => {
  programs = await Programs.start();
  await programs.startRobot(ROBOT);
});
test.afterAll(() => programs.stop());

/** When the picture is there, and sharp. */
async function settled(page: Page): Promise<void> {
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  const [[, , , front] = []] = PATCHES;
  await expect
    .poll(async () => distance(await middle(page, page.locator("#panorama")), front ?? [0, 0, 0]))
    .toBeLessThan(8);
}

test("on a desk", async ({ page }) => {
  await page.goto(`${programs.url}/watch/demo`);
  await settled(page);
  await page.getByRole("button", { name: "Statistics" }).click();
  await page.evaluate((hash) => (location.hash = hash), "#-28,8,80");
  // Plots of some length.
  await expect
    .poll(() => page.locator("#stats .plot path").first().getAttribute("d"), { timeout: 60_000 })
    .toMatch(/(L.*){12}/);
  await page.screenshot({ path: file("desktop") });
});

test.describe("on a phone", () => {
  const { defaultBrowserType: _, ...phone } = devices["Pixel 7"];
  // As sharp as a README shows it.
  test.use({ ...phone, deviceScaleFactor: 1.5 });

  test("on a phone", async ({ page }) => {
    await page.goto(`${programs.url}/watch/demo`);
    await settled(page);
    await page.locator("#panorama").focus();
    await page.keyboard.press("p");
    await expect(page.locator("body")).toHaveAttribute("data-view", "planet");
    // Who taps sees no frame around what has the focus.
    await page.locator("#panorama").blur();
    await page.screenshot({ path: file("phone") });
  });
});

test("in a page of others", async ({ page }) => {
  const other = createServer((_, response) => {
    response.setHeader("content-type", "text/html");
    response.end(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Greenhouse 3</title>
      <style>body{max-width:44rem;margin:2rem auto;font:17px/1.6 Georgia,serif;color:#222;background:#fbfaf7}
      panocast-view{border-radius:14px;box-shadow:0 6px 30px #0003}</style>
      <script src="${programs.url}/embed.js"></script>
      <h1>Greenhouse 3</h1><p>The robot goes along the rows every hour and looks at the leaves. What it sees now:</p>
      <panocast-view robot="demo" yaw="0" fov="80"></panocast-view>
      <p>Drag to look around. The picture is live, and comes straight from the robot.</p></html>`);
  });
  try {
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    await page.setViewportSize({ width: 900, height: 680 });
    await page.goto(`http://127.0.0.1:${(other.address() as AddressInfo).port}/`);
    const view = page.frameLocator("iframe").locator("body");
    await expect(view).toHaveAttribute("data-state", "live");
    const [[, , , front] = []] = PATCHES;
    const canvas = page.frameLocator("iframe").locator("#panorama");
    await expect.poll(async () => distance(await middle(page, canvas), front ?? [0, 0, 0])).toBeLessThan(8);
    await page.screenshot({ path: file("embed") });
  } finally {
    other.close();
  }
});
