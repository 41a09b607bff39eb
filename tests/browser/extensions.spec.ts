import { expect, test } from "@playwright/test";

import { frames, quantile, recordFrames } from "./support/frames.ts";
import { Programs } from "./support/programs.ts";
import { received, watchPeers } from "./support/receiver.ts";

// A small window, since drawing in software is what takes the time here.
test.use({ viewport: { width: 400, height: 300 } });

let programs: Programs;

test.beforeAll(async () => {
  programs = await Programs.start();
  await programs.startRobot();
});
test.afterAll(() => programs.stop());

test("packets say when a picture was captured, and that it is to be shown at once", async ({ page }) => {
  await watchPeers(page);
  await recordFrames(page);
  await page.goto(`${programs.url}/watch/demo`);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  await expect.poll(async () => (await frames(page)).stamped).toBeGreaterThan(30);

  const answer = await page.evaluate(() => window.peers.at(-1)?.localDescription?.sdp ?? "");
  for (const extension of ["abs-capture-time", "playout-delay", "transport-wide-cc", "abs-send-time"]) {
    expect(answer).toMatch(new RegExp(`^a=extmap:\\d+ \\S*${extension}`, "m"));
  }
  expect(answer).toMatch(/^a=rtcp-fb:\d+ transport-cc/m);
  // By itself it would not measure how far away the robot is.
  expect(answer).toMatch(/^a=rtcp-fb:\d+ rrtr/m);

  // The capture time in the packets and the stamp in the picture are of one clock.
  const apart = await page.evaluate(
    () =>
      new Promise<number[]>((resolve) => {
        const NTP_TO_UNIX = 2_208_988_800_000;
        const found: number[] = [];
        const video = document.querySelector("video");
        const look: VideoFrameRequestCallback = (_, { rtpTimestamp }) => {
          const source = window.peers.at(-1)?.getReceivers()[0]?.getSynchronizationSources()[0] as
            | { rtpTimestamp: number; captureTimestamp?: number }
            | undefined;
          // The page's own recorder, which was there before, has read this picture's stamp.
          const { stamp } = window.recorded;
          if (source?.captureTimestamp !== undefined && rtpTimestamp !== undefined && stamp !== null) {
            const ahead = ((source.rtpTimestamp - rtpTimestamp) | 0) / 90;
            found.push(((source.captureTimestamp - NTP_TO_UNIX - ahead) % 2 ** 32) - stamp);
          }
          if (found.length < 30) video?.requestVideoFrameCallback(look);
          else resolve(found);
        };
        video?.requestVideoFrameCallback(look);
      }),
  );
  expect(Math.abs(quantile(apart, 0.5))).toBeLessThan(10);

  // Without the extension it is some tens of milliseconds.
  expect((await received(page))?.buffered).toBeLessThan(0.02);

  // What the page tells its reader is what the stamps say.
  await page.locator("#stats-toggle").click();
  const line = page
    .locator("#stats-list dt", { hasText: "Capture to screen" })
    .locator("xpath=following-sibling::dd[1]");
  await expect(line).toHaveText(/^\d+ ms$/);
  const told: number[] = [];
  for (let reading = 0; reading < 5; reading++) {
    const before = (await frames(page)).count;
    await expect.poll(async () => (await frames(page)).count).toBeGreaterThan(before + 15);
    told.push(Number.parseInt((await line.textContent()) ?? "", 10));
  }
  const { delays } = await frames(page);
  const [said, seen] = [quantile(told, 0.5), quantile(delays.slice(-100), 0.5)];
  console.log(`capture → screen: the page says ${said.toFixed(0)} ms, the stamps ${seen.toFixed(0)} ms`);
  expect(Math.abs(said - seen)).toBeLessThan(30);
});
