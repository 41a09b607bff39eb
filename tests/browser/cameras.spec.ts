import { expect, test } from "@playwright/test";

import { frames, recordFrames } from "./support/frames.ts";
import { distance, middle } from "./support/pixels.ts";
import { Programs } from "./support/programs.ts";
import { CLOSE, PATCHES } from "./support/scene.ts";

// A small window, since drawing in software is what takes the time here.
test.use({ viewport: { width: 640, height: 360 } });

let programs: Programs;

test.beforeEach(async () => {
  programs = await Programs.start();
});
test.afterEach(() => programs.stop());

const robot = (camera: string): string => `
[media]
listen = "127.0.0.1:0"

[[cameras]]
id = "main"
width = 640
height = 360
bitrate = 1000000
${camera}
`;

test("an ordinary camera's picture is shown as it is, upright and in its colours", async ({ page }) => {
  await programs.startRobot(robot('source = "test-flat"'));
  await recordFrames(page);
  await page.goto(`${programs.url}/watch/demo`);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  await expect(page.locator("body")).toHaveAttribute("data-projection", "flat");
  await expect.poll(async () => (await frames(page)).stamped).toBeGreaterThan(60);
  const { count, stamped } = await frames(page);
  expect(stamped / count).toBeGreaterThanOrEqual(0.99);
  const [[, , , front] = []] = PATCHES;
  const centre = await middle(page, page.locator("#video"));
  expect(distance(centre, front ?? [0, 0, 0]), String(centre)).toBeLessThan(CLOSE);
});

/** Lenses as they come: neither even, nor in the middle, nor upright, and the whole rig hangs askew. */
const RIG = `source = "test-dual-fisheye"
mount = { yaw = 10.0, pitch = -20.0, roll = 5.0 }
[[cameras.lenses]]
fov = 200.0
center = [156.0, 178.0]
roll = 7.0
kannala_brandt = { focal = [84.0, 86.0], k = [0.02, -0.006, 0.0, 0.0] }
[[cameras.lenses]]
fov = 196.0
center = [484.0, 182.0]
yaw = 178.0
pitch = 2.0
roll = -85.0
mei = { focal = [160.0, 160.0], xi = 1.1, k = [-0.03, 0.005], p = [0.001, -0.002] }
`;

const ROUND: [name: string, camera: string, projection: string, seen: string[]][] = [
  ["two fisheye lenses", RIG, "dual_fisheye", ["front", "right", "back", "left", "up", "down"]],
  ["one fisheye lens", 'source = "test-fisheye"', "fisheye", ["front"]],
  ["half a sphere", 'source = "test"\ncoverage = [200.0, 180.0]', "equirectangular", ["front", "right", "left"]],
];

for (const [name, camera, projection, seen] of ROUND) {
  test(`a picture of ${name} shows each thing where it is`, async ({ page }) => {
    await programs.startRobot(robot(camera));
    for (const [side, yaw, pitch, colour] of PATCHES.filter(([patch]) => seen.includes(patch))) {
      await page.goto(`${programs.url}/watch/demo?yaw=${yaw}&pitch=${pitch}&fov=60`);
      await expect(page.locator("body")).toHaveAttribute("data-state", "live");
      await expect(page.locator("body")).toHaveAttribute("data-projection", projection);
      const view = page.locator("#panorama");
      await expect.poll(async () => distance(await middle(page, view), colour), side).toBeLessThan(CLOSE);
    }
  });
}

declare global {
  interface Window {
    /** What the page has said was wrong. */
    problems: Set<string>;
    /** How often it has begun to wait for its camera. A camera may be back before anybody asks. */
    waits: number;
  }
}

/** Gives pictures for three seconds, and then nothing at all. */
const FALLS_SILENT =
  "videotestsrc is-live=true num-buffers=90 ! video/x-raw,framerate=30/1 ! concat name=all " +
  "videotestsrc is-live=true ! valve drop=true ! all. all. ! identity";

test("a camera that falls silent is waited for, and seen again in the same session", async ({ page }) => {
  await programs.startRobot(robot(`source = "pipeline"\npipeline = "${FALLS_SILENT}"`));
  await recordFrames(page);
  await page.goto(`${programs.url}/watch/demo`);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  const session = await page.locator("body").getAttribute("data-session");
  await page.evaluate(() => {
    window.problems = new Set();
    window.waits = 0;
    new MutationObserver(() => {
      if (document.body.dataset["state"] === "waiting") window.waits += 1;
    }).observe(document.body, { attributeFilter: ["data-state"] });
    const problem = document.querySelector("#problem");
    const note = (): unknown => window.problems.add(problem?.textContent ?? "");
    if (problem) new MutationObserver(note).observe(problem, { childList: true, characterData: true, subtree: true });
  });
  for (let time = 0; time < 2; time++) {
    await expect.poll(() => page.evaluate(() => window.waits), { timeout: 30_000 }).toBeGreaterThan(time);
    const { count } = await frames(page);
    await expect.poll(async () => (await frames(page)).count, { timeout: 10_000 }).toBeGreaterThan(count + 15);
    await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  }
  expect([...(await page.evaluate(() => [...window.problems]))].join()).toContain("lost its camera");
  expect(await page.locator("body").getAttribute("data-session")).toBe(session);
});
