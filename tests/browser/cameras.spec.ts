import { expect, test } from "@playwright/test";

import { frames, recordFrames } from "./support/frames.ts";
import { gpu, watchGpu } from "./support/gpu.ts";
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

/** Cameras that are drawn each in another way. */
const KINDS: [source: string, projection: string][] = [
  ["test", "equirectangular"],
  ["test-fisheye", "fisheye"],
  ["test-dual-fisheye", "dual_fisheye"],
  ["test-flat", "flat"],
];

const camera = (source: string): string => `
[[cameras]]
id = "${source}"
source = "${source}"
width = 640
height = 320
bitrate = 500000
`;

test("who goes from camera to camera holds no more of the GPU than who stays", async ({ page }) => {
  await programs.startRobot(`[media]\nlisten = "127.0.0.1:0"\n${KINDS.map(([source]) => camera(source)).join("")}`);
  await watchGpu(page);
  await page.goto(`${programs.url}/watch/demo/test`);
  const [[, , , front] = []] = PATCHES;
  const shows = async (projection: string): Promise<void> => {
    await expect(page.locator("body")).toHaveAttribute("data-projection", projection);
    await expect(page.locator("body")).toHaveAttribute("data-state", "live");
    const view = page.locator(projection === "flat" ? "#video" : "#panorama");
    const off = async (): Promise<number> => distance(await middle(page, view), front ?? [0, 0, 0]);
    await expect.poll(off, projection).toBeLessThan(CLOSE);
  };
  await shows("equirectangular");
  const changes = [...KINDS.slice(1), ...KINDS, ...KINDS];
  for (const [source, projection] of changes) {
    const link = page.locator("#cameras").getByRole("link", { name: source, exact: true });
    await link.click();
    await shows(projection);
    await expect(link, "who goes by keys goes on from here").toBeFocused();
  }
  await page.locator("#cameras").getByRole("link", { name: "test", exact: true }).click();
  await shows("equirectangular");
  const held = await gpu(page);
  // Each way of drawing has a program of its own.
  expect(held["Program"]?.made).toBe(8 + 2);
  const kept = Object.entries(held).map(([kind, things]) => [kind, things.kept]);
  expect(Object.fromEntries(kept)).toEqual({ Program: 1, Shader: 0, Texture: 1 });
});
