import { readFileSync } from "node:fs";

import { expect, test, type Page } from "@playwright/test";

import { crossing, SPACING } from "./support/graticule.ts";
import { distance, middle, type Colour } from "./support/pixels.ts";
import { Programs } from "./support/programs.ts";
import { inSaved } from "./support/saved.ts";
import { CLOSE, PATCHES, rig } from "./support/scene.ts";

// A small window, since drawing in software is what takes the time here; large enough for buttons to stay at its side.
const [WIDTH, HEIGHT] = [640, 440];
test.use({ viewport: { width: WIDTH, height: HEIGHT } });

let programs: Programs;

test.beforeEach(async () => {
  programs = await Programs.start();
});
test.afterEach(() => programs.stop());

/** The size of the camera's picture. */
const [ACROSS, DOWN] = [1280, 640];
const RIG = rig(ACROSS, DOWN);

const robot = (camera: string): string => `
[media]
listen = "127.0.0.1:0"

[[cameras]]
id = "main"
width = ${ACROSS}
height = ${DOWN}
fps = 10
bitrate = 6000000
${camera}
`;

async function open(page: Page, view: string): Promise<void> {
  await page.goto(`${programs.url}/watch/demo${view}`);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
}

async function look(page: Page, yaw: number, pitch: number, fov: number): Promise<void> {
  await page.evaluate((hash) => (location.hash = hash), `#${yaw},${pitch},${fov}`);
  const canvas = page.locator("#panorama");
  await expect(canvas).toHaveAttribute("data-yaw", String(yaw));
  await expect(canvas).toHaveAttribute("data-pitch", String(pitch));
}

/** Colours that went through an encoder at this rate, and no more than that. */
const TRUE = 6 * Math.sqrt(3);
const FOV = 20;
const PIXELS_PER_DEGREE = HEIGHT / FOV;
/** Where lines cross, besides those on the marker's way and under patches. */
const PITCHES = [-45, 15, 60];

const ROUND: [name: string, camera: string][] = [
  ["all around", 'source = "test"'],
  ["of two lenses", RIG],
];
for (const [name, camera] of ROUND) {
  test(`a picture ${name} is right to a degree in 72 directions`, async ({ page }) => {
    await programs.startRobot(robot(camera));
    await open(page, `#0,0,${FOV}`);
    const view = page.locator("#panorama");
    const [[, , , front] = []] = PATCHES;
    await expect.poll(async () => distance(await middle(page, view), front ?? [0, 0, 0])).toBeLessThan(TRUE);
    for (let yaw = -180; yaw < 180; yaw += SPACING) {
      for (const pitch of PITCHES) {
        await look(page, yaw, pitch, FOV);
        // Thin lines come out of an encoder only after some pictures.
        const off = async (): Promise<number> => {
          const [right, down] = await crossing(page, view, 2 * PIXELS_PER_DEGREE);
          return Math.hypot(right, down) / PIXELS_PER_DEGREE;
        };
        await expect.poll(off, `${yaw}, ${pitch}`).toBeLessThan(1);
      }
    }
    for (const [side, yaw, pitch, colour] of PATCHES) {
      await look(page, yaw, pitch, FOV);
      await expect.poll(async () => distance(await middle(page, view), colour), side).toBeLessThan(TRUE);
    }
  });
}

/** The colour somewhere on the canvas: shares of half its width and height from the middle, right and up. */
async function at(page: Page, right: number, up: number): Promise<Colour> {
  const png = await page.locator("#panorama").screenshot();
  return page.evaluate(
    async ([base64, x, y]) => {
      const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
      const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      const context = new OffscreenCanvas(1, 1).getContext("2d");
      if (context === null) throw new Error("no canvas");
      context.drawImage(image, -Math.round(((1 + x) * image.width) / 2), -Math.round(((1 - y) * image.height) / 2));
      const [r = 0, g = 0, b = 0] = context.getImageData(0, 0, 1, 1).data;
      return [r, g, b] as [number, number, number];
    },
    [png.toString("base64"), right, up] as const,
  );
}

test("keys show a little planet, the whole picture, and around again", async ({ page }) => {
  await programs.startRobot(robot('source = "test"'));
  await open(page, "#0,0,75");
  const body = page.locator("body");
  await expect(body).toHaveAttribute("data-view", "window");
  await page.locator("#panorama").focus();
  await page.keyboard.press("p");
  await expect(body).toHaveAttribute("data-view", "planet");
  // The ground is in the middle; the horizon is a circle around it, with what is ahead at its top.
  const horizon = Math.tan(Math.PI / 4) / Math.tan((260 * Math.PI) / 180 / 4);
  const wide = (horizon * HEIGHT) / WIDTH;
  const places: [string, number, number][] = [
    ["down", 0, 0],
    ["front", 0, horizon],
    ["right", wide, 0],
    ["back", 0, -horizon],
    ["left", -wide, 0],
  ];
  for (const [side, right, up] of places) {
    const [, , , colour = [0, 0, 0] as Colour] = PATCHES.find(([patch]) => patch === side) ?? [];
    await expect.poll(async () => distance(await at(page, right, up), colour), side).toBeLessThan(CLOSE);
  }
  await page.keyboard.press("p");
  await expect(body).toHaveAttribute("data-view", "whole");
  await expect(page.locator("#panorama")).toBeHidden();
  await page.keyboard.press("p");
  await expect(body).toHaveAttribute("data-view", "window");
  await expect(page.locator("#panorama")).toBeFocused();
  const [[, , , front] = []] = PATCHES;
  const view = page.locator("#panorama");
  await expect.poll(async () => distance(await middle(page, view), front ?? [0, 0, 0])).toBeLessThan(CLOSE);
});

test("what is seen is saved, and all around, level, with what two askew lenses see", async ({ page }) => {
  await programs.startRobot(robot(RIG));
  await open(page, "#90,0,60");
  const view = page.locator("#panorama");
  const colours = Object.fromEntries(PATCHES.map(([side, , , colour]) => [side, colour]));
  const right = colours["right"] ?? [0, 0, 0];
  await expect.poll(async () => distance(await middle(page, view), right)).toBeLessThan(CLOSE);
  await view.focus();
  const save = async (keys: string): Promise<string> => {
    const [saved] = await Promise.all([page.waitForEvent("download"), page.keyboard.press(keys)]);
    expect(saved.suggestedFilename()).toMatch(/^demo-main-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.jpg$/);
    return saved.path();
  };
  const [isRound, width, height, colour] = await inSaved(page, await save("s"), 0.5, 0.5);
  expect([isRound, width, height]).toEqual([false, WIDTH, HEIGHT]);
  expect(distance(colour, right), String(colour)).toBeLessThan(CLOSE);
  const sphere = await save("Shift+S");
  for (const [side, across, down] of [
    ["front", 0.5, 0.5],
    ["right", 0.75, 0.5],
    ["left", 0.25, 0.5],
    ["back", 0.999, 0.5],
    ["down", 0.5, 0.99],
  ] as const) {
    const [round, wide, high, seen] = await inSaved(page, sphere, across, down);
    // As wide as what comes, which is less while the path carries less.
    expect([round, wide / high]).toEqual([true, 2]);
    expect(distance(seen, colours[side] ?? [0, 0, 0]), `${side}: ${String(seen)}`).toBeLessThan(CLOSE);
  }
});

test("a recording made in the browser plays", async ({ page }) => {
  await programs.startRobot(robot('source = "test"'));
  await open(page, "");
  await page.locator("#panorama").focus();
  await page.keyboard.press("r");
  const progress = page.locator("#recording");
  await expect(progress).toBeVisible();
  // Until something worth keeping has come.
  await expect(progress).toHaveText(/\d:\d\d · (?!0\.0)\d+\.\d MB/, { timeout: 60_000 });
  const [saved] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("r")]);
  await expect(progress).toBeHidden();
  expect(saved.suggestedFilename()).toMatch(/^demo-main-.*\.(mp4|webm)$/);
  const film = readFileSync(await saved.path()).toString("base64");
  const shape = await page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    const video = document.createElement("video");
    video.muted = true;
    video.src = URL.createObjectURL(new Blob([bytes]));
    await video.play();
    return video.videoWidth / video.videoHeight;
  }, film);
  expect(shape).toBe(2);
});

test("a link to the view shows the same to whoever opens it", async ({ page, context }) => {
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await programs.startRobot(robot('source = "test"'));
  await open(page, "#-180,0,60");
  await page.getByRole("button", { name: "More" }).click();
  await page.getByRole("button", { name: "Copy a link to this view" }).click();
  await expect(page.getByText("A link to this view is copied.")).toBeVisible();
  const link = await page.evaluate(() => navigator.clipboard.readText());
  expect(link).toBe(`${programs.url}/watch/demo/main#-180,0,60`);
  const other = await context.newPage();
  await other.goto(link);
  const view = other.locator("#panorama");
  const [, , , back] = PATCHES.find(([side]) => side === "back") ?? [];
  await expect.poll(async () => distance(await middle(other, view), back ?? [0, 0, 0])).toBeLessThan(CLOSE);
});
