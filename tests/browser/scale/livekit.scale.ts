import { expect, test, type BrowserContext, type Page } from "@playwright/test";

import { frames, recordFrames } from "../support/frames.ts";
import { freeUdpPort, Imu } from "../support/imu.ts";
import { askew, PERIOD, recordLevel, rocking } from "../support/level.ts";
import { LiveKit } from "../support/livekit.ts";
import { Program, Programs } from "../support/programs.ts";
import { ROBOT } from "./robot.ts";

test.use({ viewport: { width: 640, height: 400 } });

const program = process.env["LIVEKIT"] ?? "";
test.skip(program === "", "SKIPPED: there is no LiveKit ($LIVEKIT)");

/** Nobody sees that the picture comes another way: no frame is missing for longer. */
const FROZEN = 200;
/** Whoever watched by a media server that ends has a picture again within so long. */
const BACK_WITHIN = 5000;

/** In degrees, as for the robot's own viewers. */
const STEADY = 1.5;

declare global {
  interface Window {
    /** What became of the level since it was kept. */
    levels: string[];
  }
}

let livekit: LiveKit;
let programs: Programs;
let imu: Imu | undefined;

test.beforeEach(async () => {
  livekit = await LiveKit.start(program);
  programs = await Programs.start(livekit.config);
});
test.afterEach(async () => {
  imu?.close();
  imu = undefined;
  await programs.stop();
  await livekit.stop();
});

async function viewer(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  await recordFrames(page);
  await page.goto(`${programs.url}/watch/demo`);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  return page;
}

const by = (page: Page): Promise<string | null> => page.locator("body").getAttribute("data-media");

async function forgetGaps(page: Page): Promise<void> {
  await page.evaluate(() => {
    window.recorded.longestGap = 0;
  });
}

test("a crowd goes to the media server and comes back without a break", async ({ context }) => {
  await programs.startRobot(ROBOT);
  const first = await viewer(context);
  expect(await by(first)).toBe("p2p");
  const loaded: string[] = [];
  first.on("request", (request) => loaded.push(request.url()));
  await forgetGaps(first);
  // Other pages would take the two cores that this one has to show its picture with.
  const crowd = new Program("loadgen", ["--server", programs.url, "--viewers", "2", "--seconds", "300"]);
  await expect.poll(() => by(first), { timeout: 20_000 }).toBe("livekit");
  expect(loaded.filter((url) => url.includes("livekit"))).not.toEqual([]);
  await first.waitForTimeout(2000);
  const there = (await frames(first)).longestGap;
  await first.screenshot({ path: "results/sfu-there.png" });
  await forgetGaps(first);
  await crowd.end();
  await expect.poll(() => by(first), { timeout: 60_000 }).toBe("p2p");
  await first.waitForTimeout(2000);
  const back = (await frames(first)).longestGap;
  await first.screenshot({ path: "results/sfu-back.png" });
  console.log(`the longest gap: ${there.toFixed(0)} ms on the way there, ${back.toFixed(0)} ms on the way back`);
  expect(there).toBeLessThanOrEqual(FROZEN);
  expect(back).toBeLessThanOrEqual(FROZEN);
});

test("a robot that leans shows a level picture on the way there, there, and on the way back", async ({ page }) => {
  const port = await freeUdpPort();
  // What is said of a picture comes before it, however busy the machine is.
  imu = new Imu(port, rocking, PERIOD / 2);
  await programs.startRobot(`${ROBOT}\n[attitude]\nlisten = "127.0.0.1:${port}"\n`);
  await recordLevel(page);
  await recordFrames(page);
  await page.goto(`${programs.url}/watch/demo`);
  const body = page.locator("body");
  await expect(body).toHaveAttribute("data-level", "kept");
  await body.evaluate((element) => {
    window.levels = [];
    const keep = (): number => window.levels.push(element.getAttribute("data-level") ?? "");
    new MutationObserver(keep).observe(element, { attributeFilter: ["data-level"] });
  });
  const crowd = new Program("loadgen", ["--server", programs.url, "--viewers", "2", "--seconds", "300"]);
  await expect(body).toHaveAttribute("data-media", "livekit");
  // Longer than what was heard of the robot itself is good for.
  await page.waitForTimeout(4000);
  await askew(page);
  await expect.poll(() => askew(page), { intervals: [2000], timeout: 30_000 }).toBeLessThan(STEADY);
  await crowd.end();
  await expect(body).toHaveAttribute("data-media", "p2p", { timeout: 60_000 });
  await page.waitForTimeout(4000);
  await askew(page);
  await expect.poll(() => askew(page), { intervals: [2000], timeout: 30_000 }).toBeLessThan(STEADY);
  expect(await page.evaluate(() => window.levels)).toEqual([]);
});

test("a media server that is killed costs its viewers seconds", async ({ context }) => {
  await programs.startRobot(ROBOT);
  const pages = [await viewer(context), await viewer(context), await viewer(context)];
  for (const page of pages) await expect.poll(() => by(page), { timeout: 20_000 }).toBe("livekit");
  const [first] = pages;
  if (!first) throw new Error("there are three");
  await forgetGaps(first);
  await livekit.kill();
  await expect.poll(() => by(first), { timeout: 20_000 }).toBe("p2p");
  await expect(first.locator("body")).toHaveAttribute("data-state", "live");
  await first.waitForTimeout(1000);
  const gap = (await frames(first)).longestGap;
  console.log(`without a picture for ${gap.toFixed(0)} ms after LiveKit was killed`);
  expect(gap).toBeLessThanOrEqual(BACK_WITHIN);
});
