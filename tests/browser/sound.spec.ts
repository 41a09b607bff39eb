import { type Page, expect, test } from "@playwright/test";

import { frames, quantile, recordFrames } from "./support/frames.ts";
import { late, reckoned, watchAndListen } from "./support/lipsync.ts";
import { Programs } from "./support/programs.ts";
import { Pulse } from "./support/pulse.ts";
import { watchPeers } from "./support/receiver.ts";

// A small window, since drawing in software is what takes the time here.
// What listens to the page is a script that its server has not allowed.
test.use({ viewport: { width: 400, height: 300 }, bypassCSP: true });

const robot = (sound: string): string => `
[media]
listen = "127.0.0.1:0"

[[cameras]]
id = "main"
source = "test"
width = 960
height = 480
bitrate = 1500000
sound = "${sound}"
`;

let programs: Programs;

test.beforeEach(async () => {
  programs = await Programs.start();
});
test.afterEach(() => programs.stop());

/** What the receiver says of the sound. */
const heard = (page: Page): Promise<{ energy: number; samples: number } | undefined> =>
  page.evaluate(async () => {
    const all = [...((await window.peers.at(-1)?.getStats())?.values() ?? [])];
    const audio = all.find((report) => report.type === "inbound-rtp" && report.kind === "audio");
    return audio && { energy: audio.totalAudioEnergy, samples: audio.totalSamplesReceived };
  });

const muted = (page: Page): Promise<boolean> =>
  page.locator("#video").evaluate((video: HTMLVideoElement) => video.muted);

async function watch(page: Page, sound: string, environment: Record<string, string> = {}): Promise<void> {
  await programs.startRobot(robot(sound), environment);
  await watchPeers(page);
  await recordFrames(page);
  await page.goto(`${programs.url}/watch/demo`);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  expect(await muted(page)).toBe(true);
}

test("sound comes with the picture, and only who asks for it hears it", async ({ page }) => {
  await watch(page, "tone");
  await expect(page.locator("#mute")).toBeVisible();

  // It is received and thrown away, so that it is there at once when it is wanted.
  await expect.poll(async () => (await heard(page))?.samples ?? 0).toBeGreaterThan(24_000);
  expect((await heard(page))?.energy).toBe(0);
  await page.locator("#mute").click();
  expect(await muted(page)).toBe(false);
  await expect.poll(async () => (await heard(page))?.energy ?? 0).toBeGreaterThan(0);
  const { energy = 0 } = (await heard(page)) ?? {};
  // The next beep, a second later.
  await expect.poll(async () => (await heard(page))?.energy ?? 0).toBeGreaterThan(energy * 1.2);
  const { count, stamped } = await frames(page);
  expect(stamped / count).toBeGreaterThanOrEqual(0.99);
});

/** How far sound and picture may be apart, in milliseconds. */
const IN_STEP = 45;
const BEEPS = 5;
/** By how many milliseconds more a picture is clearly held back. */
const CLEARLY = 100;
/** What finds its measure may take long where there is much else to do. */
const PATIENCE = 60_000;

const typical = (values: number[]): number => quantile(values.slice(-BEEPS), 0.5);

test("who listens hears what is seen, and who does not sees it at once", async ({ page }) => {
  test.setTimeout(5 * PATIENCE);
  await watch(page, "tone");
  /** Waits for so many beeps more, and says how late they typically were. */
  const next = async (): Promise<number> => {
    const before = (await late(page)).length;
    await expect.poll(async () => (await late(page)).length).toBeGreaterThanOrEqual(before + BEEPS);
    return typical(await late(page));
  };
  const delay = async (): Promise<number> => quantile((await frames(page)).delays.slice(-60), 0.5);

  await watchAndListen(page);
  const unlinked = await next();
  const atOnce = await delay();
  expect((await reckoned(page)).hold).toBe(0);

  await page.locator("#mute").click();
  if (Math.abs(unlinked) > 2 * IN_STEP) {
    // Whichever is early: which one that is depends on the machine.
    const holds = async (): Promise<number> => {
      const { hold, holdSound } = await reckoned(page);
      return Math.max(hold ?? 0, holdSound ?? 0);
    };
    await expect.poll(holds).toBeGreaterThan(0);
  }
  await expect
    .poll(async () => Math.abs((await reckoned(page)).late), { timeout: PATIENCE })
    .toBeLessThanOrEqual(IN_STEP);
  let linked = Number.NaN;
  const apart = async (): Promise<number> => {
    linked = await next();
    return Math.abs(linked);
  };
  await expect.poll(apart, { timeout: PATIENCE }).toBeLessThanOrEqual(IN_STEP);
  const held = await delay();

  await page.locator("#mute").click();
  await expect.poll(async () => (await reckoned(page)).hold).toBe(0);
  // Where the picture waited for the sound, it does not any more; less than that is lost in a busy machine's figures.
  if (held - atOnce > CLEARLY) await expect.poll(delay).toBeLessThan(held - CLEARLY / 4);
  console.log(
    `sound after the picture: ${unlinked.toFixed(0)} ms when muted, ${linked.toFixed(0)} ms when not; ` +
      `capture → screen ${atOnce.toFixed(0)}, ${held.toFixed(0)}, and muted again ${(await delay()).toFixed(0)} ms`,
  );
});

/** A sound server that was away for long is looked for ever more rarely, and takes its time to begin. */
const HEARD = { timeout: 90_000 };

test("a microphone that goes takes no picture with it, and is heard again when it returns", async ({ page }) => {
  test.setTimeout(400_000);
  const pulse = await Pulse.start();
  try {
    await watch(page, "pulse", pulse.environment);
    const body = page.locator("body");
    const session = await body.getAttribute("data-session");
    const energy = async (): Promise<number> => (await heard(page))?.energy ?? 0;
    const seen = async (): Promise<number> => (await frames(page)).count;
    const seesOn = async (): Promise<void> => {
      const before = await seen();
      await expect.poll(seen).toBeGreaterThan(before + 20);
    };
    /** What is heard while some more pictures come. */
    const hears = async (): Promise<number> => {
      const before = await energy();
      await seesOn();
      return (await energy()) - before;
    };
    await page.locator("#mute").click();
    await expect.poll(hears, HEARD).toBeGreaterThan(0);
    for (let time = 0; time < 2; time++) {
      await pulse.kill();
      await expect.poll(hears, HEARD).toBe(0);
      await seesOn();
      await pulse.start();
      await expect.poll(hears, HEARD).toBeGreaterThan(0);
    }
    await expect(body).toHaveAttribute("data-state", "live");
    expect(await body.getAttribute("data-session")).toBe(session);
  } finally {
    await pulse.stop();
  }
});
