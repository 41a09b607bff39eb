import { expect, test } from "@playwright/test";

import { frames, quantile, recordFrames } from "./support/frames.ts";
import { distance, middle } from "./support/pixels.ts";
import { Programs } from "./support/programs.ts";
import { CLOSE, PATCHES } from "./support/scene.ts";

let programs: Programs;

test.beforeAll(async () => {
  programs = await Programs.start();
  await programs.startRobot();
});
test.afterAll(() => programs.stop());

const millis = (times: number[]): string => times.map((time) => time.toFixed(0)).join(", ");

test("a click on a live robot shows its moving picture within a second", async ({ page }) => {
  await recordFrames(page);
  const decoded: number[] = [];
  const shown: number[] = [];
  for (let visit = 0; visit < 3; visit++) {
    await page.goto(`${programs.url}/?list`);
    await page.getByRole("link", { name: /demo/ }).first().click();
    await page.waitForURL(/\/watch\/demo/);
    await expect.poll(async () => (await frames(page)).count).toBeGreaterThan(10);
    const visited = await frames(page);
    decoded.push(visited.decoded ?? Number.POSITIVE_INFINITY);
    shown.push(visited.first ?? Number.POSITIVE_INFINITY);
    await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  }
  const before = (await frames(page)).stamp;
  await expect.poll(async () => (await frames(page)).stamp).not.toBe(before);
  console.log(`click → first frame decoded: ${millis(decoded)} ms; handed to the screen: ${millis(shown)} ms`);
  // The best of three, since a busy machine says nothing about the product.
  expect(Math.min(...decoded)).toBeLessThan(1000);
  expect(Math.min(...shown)).toBeLessThan(1000);
});

test("the page itself names all that it needs for a picture", async ({ page }) => {
  await page.goto(`${programs.url}/watch/demo`);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  const html = await (await page.request.get(`${programs.url}/watch/demo`)).text();
  const loaded = await page.evaluate(() =>
    performance
      .getEntriesByType("resource")
      .map(({ name }) => new URL(name).pathname)
      .filter((path) => path.startsWith("/assets/")),
  );
  expect(loaded.length).toBeGreaterThan(1);
  expect(loaded.filter((path) => !html.includes(path))).toEqual([]);
});

test("every frame bears a readable time stamp", async ({ page }) => {
  await recordFrames(page);
  await page.goto(`${programs.url}/watch/demo`);
  await expect.poll(async () => (await frames(page)).count, { timeout: 60_000 }).toBeGreaterThan(200);
  const { count, stamped, delays } = await frames(page);
  const figures = [0.5, 0.95].map((at) => quantile(delays, at).toFixed(0));
  console.log(`capture → screen: ${figures[0]} ms p50, ${figures[1]} ms p95 (${count} frames, 960×480)`);
  expect(stamped / count).toBeGreaterThanOrEqual(0.99);
  expect(quantile(delays, 0.5)).toBeGreaterThan(0);
});

for (const [name, yaw, pitch, colour] of PATCHES) {
  test(`looking ${name} shows what is there`, async ({ page }) => {
    await page.goto(`${programs.url}/watch/demo?yaw=${yaw}&pitch=${pitch}&fov=60`);
    await expect(page.locator("body")).toHaveAttribute("data-state", "live");
    const view = page.locator("#panorama");
    await expect.poll(async () => distance(await middle(page, view), colour)).toBeLessThan(CLOSE);
  });
}

test("dragging and keys turn the view as on a map", async ({ page }) => {
  await page.goto(`${programs.url}/watch/demo`);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  const view = page.locator("#panorama");
  const yaw = async (): Promise<number> => Number(await view.getAttribute("data-yaw"));
  const fov = async (): Promise<number> => Number(await view.getAttribute("data-fov"));
  expect(await yaw()).toBe(0);
  await page.mouse.move(640, 360);
  await page.mouse.down();
  await page.mouse.move(440, 360, { steps: 5 });
  await page.mouse.up();
  await expect.poll(yaw).toBeGreaterThan(5);
  await view.focus();
  await page.keyboard.press("Home");
  await expect.poll(yaw).toBe(0);
  await page.keyboard.press("ArrowLeft");
  await expect.poll(yaw).toBeLessThan(0);
  const wide = await fov();
  await page.mouse.wheel(0, -300);
  await expect.poll(fov).toBeLessThan(wide);
});
