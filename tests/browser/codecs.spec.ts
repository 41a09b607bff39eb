import { expect, test } from "@playwright/test";

import { Family, expectMoving } from "./support/family.ts";
import { frames, recordFrames } from "./support/frames.ts";
import { distance, inPanorama } from "./support/pixels.ts";
import { Programs } from "./support/programs.ts";
import { received, watchPeers } from "./support/receiver.ts";
import { CLOSE, PATCHES } from "./support/scene.ts";

/** VP8 blurs the patches of a small picture somewhat more than H.264 does. */
const BLURRED = CLOSE * 1.5;

// Small windows, since drawing in software is what takes the time here.
const viewport = { width: 400, height: 300 };
test.use({ viewport });

let programs: Programs;

test.beforeAll(async () => {
  programs = await Programs.start();
  await programs.startRobot();
});
test.afterAll(() => programs.stop());

test("a viewer without H.264 gets a stamped picture in VP8, in the right colours, beside one with it", async ({
  page,
  browser,
}) => {
  await watchPeers(page);
  await page.goto(`${programs.url}/watch/demo`);
  await expect.poll(async () => (await received(page))?.codec).toBe("video/H264");
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  const session = await page.locator("body").getAttribute("data-session");

  // A window of its own, since a tab that is covered is drawn once a second.
  const plain = await browser.newPage({ viewport });
  await watchPeers(plain, { codec: "video/VP8" });
  await recordFrames(plain);
  await plain.goto(`${programs.url}/watch/demo`);
  await expect(plain.locator("body")).toHaveAttribute("data-state", "live");
  expect((await received(plain))?.codec).toBe("video/VP8");
  await expect.poll(async () => (await frames(plain)).stamped).toBeGreaterThan(30);
  const { count, stamped } = await frames(plain);
  expect(stamped / count).toBeGreaterThanOrEqual(0.99);

  for (const [name, yaw, pitch, colour] of PATCHES) {
    const seen = await inPanorama(plain.locator("#video"), yaw, pitch);
    expect(distance(seen, colour), `${name}: ${String(seen)}`).toBeLessThan(BLURRED);
  }

  const before = await received(page);
  await expect.poll(async () => (await received(page))?.decoded).toBeGreaterThan((before?.decoded ?? 0) + 30);
  expect((await received(page))?.codec).toBe("video/H264");
  expect(await page.locator("body").getAttribute("data-session")).toBe(session);
  await plain.close();
});

test("a page of the family whose answer takes only VP8 gets that", async ({ context }) => {
  const family = await Family.in(context, programs.url);
  const watcher = await family.open("watcher.html?codec=VP8");
  await expectMoving(watcher);
  const codec = await watcher.evaluate(async () => {
    const report = await (window as unknown as { peer: RTCPeerConnection }).peer.getStats();
    const video = [...report.values()].find(({ type }) => type === "inbound-rtp");
    return report.get(video.codecId).mimeType as string;
  });
  expect(codec).toBe("video/VP8");
  expect(family.errors).toEqual([]);
});

test("what openh264 makes is decoded whole and in the right colours", async ({ page }) => {
  const robot = await Programs.start();
  try {
    await robot.startRobot(`
[media]
listen = "127.0.0.1:0"

[[cameras]]
id = "main"
source = "test"
width = 960
height = 480
bitrate = 1500000
encoder = "openh264"
`);
    await watchPeers(page);
    await recordFrames(page);
    await page.goto(`${robot.url}/watch/demo`);
    await expect(page.locator("body")).toHaveAttribute("data-state", "live");
    expect((await received(page))?.codec).toBe("video/H264");
    await expect.poll(async () => (await frames(page)).stamped).toBeGreaterThan(60);
    const { count, stamped } = await frames(page);
    expect(stamped / count).toBeGreaterThanOrEqual(0.99);
    for (const [name, yaw, pitch, colour] of PATCHES) {
      const seen = await inPanorama(page.locator("#video"), yaw, pitch);
      expect(distance(seen, colour), `${name}: ${String(seen)}`).toBeLessThan(CLOSE);
    }
  } finally {
    await robot.stop();
  }
});
