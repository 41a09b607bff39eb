import { type Page, expect, test } from "@playwright/test";

import { frames, recordFrames } from "./support/frames.ts";
import { Programs } from "./support/programs.ts";
import { watchPeers } from "./support/receiver.ts";

// A small window, since drawing in software is what takes the time here.
test.use({ viewport: { width: 400, height: 300 } });

const ROBOT = `
[media]
listen = "127.0.0.1:0"

[[cameras]]
id = "main"
source = "test"
width = 960
height = 480
bitrate = 1500000
sound = "tone"
`;

let programs: Programs;

test.beforeEach(async () => {
  programs = await Programs.start();
  await programs.startRobot(ROBOT);
});
test.afterEach(() => programs.stop());

/** What the receiver says of the sound, and by how many milliseconds the picture is ahead of it. */
const heard = (page: Page): Promise<{ energy: number; samples: number; ahead: number } | undefined> =>
  page.evaluate(async () => {
    const all = [...((await window.peers.at(-1)?.getStats())?.values() ?? [])];
    const [audio, video] = ["audio", "video"].map((kind) =>
      all.find((report) => report.type === "inbound-rtp" && report.kind === kind),
    );
    return (
      audio &&
      video && {
        energy: audio.totalAudioEnergy,
        samples: audio.totalSamplesReceived,
        ahead: video.estimatedPlayoutTimestamp - audio.estimatedPlayoutTimestamp,
      }
    );
  });

test("sound comes with the picture, and only who asks for it hears it", async ({ page }) => {
  await watchPeers(page);
  await recordFrames(page);
  await page.goto(`${programs.url}/watch/demo`);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  const muted = (): Promise<boolean> => page.locator("#video").evaluate((video: HTMLVideoElement) => video.muted);
  expect(await muted()).toBe(true);
  await expect(page.locator("#mute")).toBeVisible();

  // It is received and thrown away, so that it is there at once when it is wanted.
  await expect.poll(async () => (await heard(page))?.samples ?? 0).toBeGreaterThan(24_000);
  expect((await heard(page))?.energy).toBe(0);
  await page.locator("#mute").click();
  expect(await muted()).toBe(false);
  await expect.poll(async () => (await heard(page))?.energy ?? 0).toBeGreaterThan(0);
  const { energy = 0 } = (await heard(page)) ?? {};
  // The next beep, a second later.
  await expect.poll(async () => (await heard(page))?.energy ?? 0).toBeGreaterThan(energy * 1.2);
  // It is known once both streams' clocks are.
  await expect.poll(async () => (await heard(page))?.ahead).not.toBeNaN();
  const { ahead = 0 } = (await heard(page)) ?? {};
  const { count, stamped } = await frames(page);
  console.log(`the picture is ${ahead.toFixed(0)} ms ahead of the sound`);
  expect(stamped / count).toBeGreaterThanOrEqual(0.99);
});
