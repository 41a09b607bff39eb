import { type Page, expect, test } from "@playwright/test";

import { frames, recordFrames } from "./support/frames.ts";
import { Programs } from "./support/programs.ts";
import { watchPeers } from "./support/receiver.ts";

// A small window, since drawing in software is what takes the time here.
test.use({ viewport: { width: 400, height: 300 } });

let programs: Programs;

test.beforeEach(async () => {
  programs = await Programs.start();
});
test.afterEach(() => programs.stop());

async function watch(page: Page): Promise<void> {
  await watchPeers(page);
  await recordFrames(page);
  await page.goto(`${programs.url}/watch/demo`);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  await expect.poll(async () => (await frames(page)).count).toBeGreaterThan(20);
  await page.evaluate(() => {
    window.recorded.longestGap = 0;
  });
}

/** Both ends' names for the path that is in use. */
const fragments = (page: Page): Promise<(string | undefined)[]> =>
  page.evaluate(() => {
    const peer = window.peers.at(-1);
    return [peer?.localDescription, peer?.remoteDescription].map(
      (description) => /^a=ice-ufrag:(\S+)/m.exec(description?.sdp ?? "")?.[1],
    );
  });

/** What the transport itself uses, and whether it is connected. */
const transport = (page: Page): Promise<{ fragment: string; state: string; changes: number } | undefined> =>
  page.evaluate(async () => {
    const report = await window.peers.at(-1)?.getStats();
    const found = [...(report?.values() ?? [])].find(({ type }) => type === "transport");
    return (
      found && {
        fragment: found.iceLocalUsernameFragment,
        state: found.iceState,
        changes: found.selectedCandidatePairChanges,
      }
    );
  });

async function moves(page: Page, pictures = 30): Promise<void> {
  const before = (await frames(page)).count;
  await expect.poll(async () => (await frames(page)).count).toBeGreaterThan(before + pictures);
}

test("a device that changes its network gets another path for the same picture", async ({ page }) => {
  await programs.startRobot();
  await watch(page);
  const session = await page.locator("body").getAttribute("data-session");
  const before = await fragments(page);
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await expect.poll(async () => (await fragments(page))[0]).not.toBe(before[0]);
  const after = await fragments(page);
  expect(after[1]).not.toBe(before[1]);
  await expect.poll(() => transport(page)).toMatchObject({ fragment: after[0], state: "connected" });
  await moves(page, 60);
  const pause = (await frames(page)).longestGap;
  console.log(`ICE restart: longest pause of the picture ${pause.toFixed(0)} ms`);
  expect(await page.locator("body").getAttribute("data-session")).toBe(session);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
});

test("another quality comes without a black picture, and Auto climbs again", async ({ page }) => {
  await programs.startRobot();
  await watch(page);
  await page.evaluate(follow);
  const menu = page.locator("#quality");
  const steps: [choice: string, width: number][] = [
    ["1", 480],
    ["", 960],
  ];
  for (const [choice, width] of steps) {
    const from = await page.evaluate(() => {
      window.recorded.longestGap = 0;
      return performance.now();
    });
    await menu.selectOption(choice);
    await expect.poll(async () => (await followed(page)).sizes.at(-1)?.width).toBe(width);
    await moves(page);
    const took = ((await followed(page)).sizes.at(-1)?.at ?? 0) - from;
    const pause = (await frames(page)).longestGap;
    console.log(`to ${width} pixels: after ${took.toFixed(0)} ms, longest pause ${pause.toFixed(0)} ms`);
  }
  const { sizes, black } = await followed(page);
  expect(sizes.map(({ width }) => width)).toEqual([960, 480, 960]);
  expect(black).toBe(0);
  expect(await page.evaluate(() => window.peers.length)).toBe(1);
});

interface Followed {
  /** Pictures whose middle, the red front of the scene, was not there. */
  black: number;
  sizes: { width: number; at: number }[];
}

declare global {
  interface Window {
    followed: Followed;
  }
}

const followed = (page: Page): Promise<Followed> => page.evaluate(() => window.followed);

/** Runs inside the page: looks at every picture from now on. */
function follow(): void {
  const video = document.querySelector("video");
  const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  if (!video || !context) throw new Error("nothing to look at");
  const seen: Followed = { black: 0, sizes: [] };
  window.followed = seen;
  const look = (): void => {
    video.requestVideoFrameCallback(look);
    const { videoWidth: width, videoHeight: height } = video;
    context.drawImage(video, -Math.floor(width / 2), -Math.floor(height / 2));
    if ((context.getImageData(0, 0, 1, 1).data[0] ?? 0) < 100) seen.black += 1;
    if (seen.sizes.at(-1)?.width !== width) seen.sizes.push({ width, at: performance.now() });
  };
  look();
}
