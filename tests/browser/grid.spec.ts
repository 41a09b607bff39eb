import { type Locator, type Page, expect, test } from "@playwright/test";

import type { Overview } from "../../web-viewer/src/protocol.gen.ts";
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

/** Each is drawn in another way. */
const SOURCES = ["test", "test-fisheye", "test-dual-fisheye", "test-flat"];

const camera = (id: string, source: string): string => `
[[cameras]]
id = "${id}"
title = "The ${id}"
${source}
width = 640
height = 320
fps = 10
bitrate = 500000
`;

const robot = (cameras: string[]): string => `
[media]
listen = "127.0.0.1:0"
[[rungs]]
width = 640
bitrate = 500000
[[rungs]]
width = 320
bitrate = 200000
${cameras.join("")}`;

const ROBOT = robot(SOURCES.map((source) => camera(source, `source = "${source}"`)));

const tiles = (page: Page): Locator => page.locator("#grid > li");

async function allLive(page: Page): Promise<void> {
  await expect(tiles(page)).toHaveCount(SOURCES.length);
  await expect(page.locator("#grid > li[data-state=live]")).toHaveCount(SOURCES.length);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
}

/** Straight ahead is what is there. */
async function looksAhead(page: Page, view: Locator): Promise<void> {
  const [[, , , front] = []] = PATCHES;
  await expect.poll(async () => distance(await middle(page, view), front ?? [0, 0, 0])).toBeLessThan(CLOSE);
}

async function alone(page: Page, source: string): Promise<void> {
  await expect(page).toHaveURL(`${programs.url}/watch/demo/${source}`);
  await expect(tiles(page)).toHaveCount(0);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  await looksAhead(page, page.locator(source === "test-flat" ? "#video" : "#panorama"));
  await expect.poll(() => programs.viewers()).toBe(1);
}

/** The places of the qualities that the robot sends. */
async function rungs(): Promise<(number | undefined)[]> {
  const response = await fetch(`${programs.url}/api/v1/overview`);
  const { robots } = (await response.json()) as Overview;
  return robots.flatMap(({ viewers }) => viewers.map(({ sent }) => sent?.rung));
}

test("all cameras are seen at once, each as it sees and at a quality that fits, and one is gone to by keys", async ({
  page,
}) => {
  await programs.startRobot(ROBOT);
  await watchGpu(page);
  await page.goto(`${programs.url}/watch/demo/test`);
  await alone(page, "test");
  await expect.poll(rungs).toEqual([0]);
  await page.locator("#panorama").focus();
  await page.keyboard.press("g");
  await expect(page).toHaveURL(`${programs.url}/watch/demo/test?grid`);
  await allLive(page);
  await page.screenshot({ path: test.info().outputPath("small.png") });
  for (const [at, source] of SOURCES.entries()) {
    await expect(tiles(page).nth(at)).toContainText(`The ${source}`);
    await looksAhead(page, tiles(page).nth(at));
  }
  await expect(page.locator("#state")).toHaveText("4 of 4 cameras are live.");
  await expect(page.locator("#cameras a[aria-current]")).toHaveText("All");
  await expect.poll(() => programs.viewers()).toBe(SOURCES.length);
  await expect.poll(rungs).toEqual([1, 1, 1, 1]);

  // The first one has the focus; what is asked of one picture only is not asked here.
  await page.keyboard.press("i");
  await page.keyboard.press("ArrowRight");
  await expect(tiles(page).nth(1).getByRole("link")).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await expect(tiles(page).nth(3).getByRole("link")).toBeFocused();
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await alone(page, "test-fisheye");
  await expect(page.locator("#stats")).toBeHidden();
  await expect.poll(rungs).toEqual([0]);

  // Keys are heard on.
  await page.keyboard.press("g");
  await allLive(page);
  await page.keyboard.press("4");
  await alone(page, "test-flat");
  await page.locator("#cameras").getByRole("link", { name: "All" }).click();
  await allLive(page);
  await page.goBack();
  await alone(page, "test-flat");
  await page.goForward();
  await allLive(page);
  await page.keyboard.press("g");
  await alone(page, "test-flat");

  // As many times as it takes to run out of contexts, if any were kept.
  for (let time = 0; time < 4; time++) {
    await page.keyboard.press("g");
    await allLive(page);
    await page.keyboard.press("1");
    await alone(page, "test");
  }
  const lost = await page
    .locator("#panorama")
    .evaluate((canvas) => (canvas as HTMLCanvasElement).getContext("webgl2")?.isContextLost());
  expect(lost).toBe(false);
  const held = await gpu(page);
  const kept = Object.entries(held).map(([kind, things]) => [kind, things.kept]);
  expect(Object.fromEntries(kept)).toEqual({ Program: 1, Shader: 0, Texture: 1 });
});

/** Gives pictures for three seconds, and then nothing at all. */
const FALLS_SILENT =
  "videotestsrc is-live=true num-buffers=30 ! video/x-raw,width=640,height=320,framerate=10/1 ! concat name=all " +
  "videotestsrc is-live=true ! video/x-raw,width=640,height=320 ! valve drop=true ! all. all. ! identity";

declare global {
  interface Window {
    /** What was said of the first tile, and whether the second one was live at the time. */
    said: Set<string>;
  }
}

test("a camera that is lost says so in its tile, and the others go on", async ({ page }) => {
  const silent = `source = "pipeline"\npipeline = "${FALLS_SILENT}"`;
  await programs.startRobot(robot([camera("silent", silent), camera("fine", 'source = "test-flat"')]));
  await page.goto(`${programs.url}/watch/demo?grid`);
  await expect(page.locator("#grid > li[data-state=live]")).toHaveCount(2);
  await page.evaluate(() => {
    window.said = new Set();
    const [lost, fine] = document.querySelectorAll<HTMLElement>("#grid > li");
    const note = (): unknown =>
      window.said.add(`${lost?.dataset["state"]}, ${fine?.dataset["state"]}: ${lost?.innerText.replaceAll("\n", " ")}`);
    if (lost)
      new MutationObserver(note).observe(lost, { attributeFilter: ["data-state"], childList: true, subtree: true });
  });
  const said = async (): Promise<string> => [...(await page.evaluate(() => [...window.said]))].join("\n");
  await expect.poll(said).toMatch(/^waiting, live: .*lost its camera/m);
  // And back, in another tenth of a second or in ten.
  await expect.poll(said).toMatch(/lost its camera[^]*^live, live: .*LIVE/m);
  expect(await said()).not.toMatch(/^(?!live,).*LIVE/m);
});

test("nothing is sent to a page that nobody looks at", async ({ page }) => {
  await programs.startRobot(ROBOT);
  await page.goto(`${programs.url}/embed/demo?grid`);
  await allLive(page);
  await expect.poll(() => programs.viewers()).toBe(SOURCES.length);
  const look = (seen: boolean): Promise<void> =>
    page.evaluate((visible) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => !visible });
      document.dispatchEvent(new Event("visibilitychange"));
    }, seen);
  await look(false);
  await expect(page.locator("#grid > li[data-state=connecting]")).toHaveCount(SOURCES.length);
  await expect.poll(() => programs.viewers()).toBe(0);
  await look(true);
  await allLive(page);
});

test("nine cameras are no more than a server takes from one address, and a tenth has no place", async ({ page }) => {
  const strict = await Programs.start("trusted_proxies = []");
  try {
    const small = Array.from({ length: 10 }, (_, at) => camera(`c${at + 1}`, 'source = "test-flat"'));
    await strict.startRobot(robot(small).replaceAll("fps = 10", "fps = 5"));
    await page.goto(`${strict.url}/watch/demo/c10?grid`);
    await expect(page.locator("#grid > li[data-state=live]")).toHaveCount(9);
    await expect(page.locator("#state")).toHaveText("9 of 9 cameras are live.");
    await expect(page.getByRole("link", { name: "The c9" })).toBeVisible();
  } finally {
    await strict.stop();
  }
});

test("a robot that is gone is waited for in every tile, and comes back with the cameras that it has then", async ({
  page,
}) => {
  const cameras = SOURCES.slice(2).map((source) => camera(source, `source = "${source}"`));
  const former = await programs.startRobot(robot(cameras));
  await page.goto(`${programs.url}/watch/demo?grid`);
  await expect(page.locator("#grid > li[data-state=live]")).toHaveCount(2);
  await former.kill();
  await expect(page.locator("#grid > li[data-state=waiting]").getByText("The robot is offline")).toHaveCount(2);
  await expect(page.locator("#state")).toHaveText("0 of 2 cameras are live.");
  programs.launchRobot(ROBOT);
  await allLive(page);
});

test.describe("on a phone", () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 1 });

  test("tiles share the screen, and a tap goes to one", async ({ page }) => {
    await programs.startRobot(ROBOT);
    await page.goto(`${programs.url}/watch/demo?grid`);
    await allLive(page);
    await page.screenshot({ path: test.info().outputPath("phone.png") });
    const boxes = await Promise.all((await tiles(page).all()).map((tile) => tile.boundingBox()));
    for (const box of boxes) {
      expect(box?.width).toBeGreaterThan(300);
      expect(box?.height).toBeGreaterThan(120);
      expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThanOrEqual(844);
    }
    await tiles(page).nth(2).tap();
    await alone(page, "test-dual-fisheye");
  });
});
