import { readFileSync } from "node:fs";

import { type Page, expect, test } from "@playwright/test";

import { frames, recordFrames } from "./support/frames.ts";
import { Programs } from "./support/programs.ts";

const GUARDED = `state_dir = "$FILES/state"\n[auth]\nmode = "keys"\n`;
const CAMERA = readFileSync(new URL("broadcaster.toml", import.meta.url), "utf8");

let programs: Programs;

test.beforeEach(async () => {
  programs = await Programs.start(GUARDED);
  const said = programs.command("robot", "add", "demo");
  const key = /^key = .*$/m.exec(said)?.[0];
  programs.launchRobot(`${key}\n${CAMERA}`);
});
test.afterEach(() => programs.stop());

/** A link, and its name. */
function newLink(...args: string[]): { url: string; id: string } {
  const said = programs.command("link", "new", "--robot", "demo", ...args);
  const fragment = /#token=\S+/.exec(said)?.[0];
  const id = /^Link (\S+)/m.exec(said)?.[1];
  expect(fragment).toBeDefined();
  return { url: `${programs.url}/watch/demo${fragment}`, id: id ?? "" };
}

async function live(page: Page): Promise<void> {
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
}

/** Says when the last picture came, once none has come for two seconds. */
async function lastPicture(page: Page): Promise<number> {
  let last = { count: -1, at: 0 };
  await expect
    .poll(
      async () => {
        const { count } = await frames(page);
        if (count !== last.count) last = { count, at: Date.now() };
        return Date.now() - last.at;
      },
      { intervals: [100], timeout: 20_000 },
    )
    .toBeGreaterThan(2000);
  return last.at;
}

test("a link lets in, is not left in the address, and survives a reload", async ({ page, context }) => {
  const { url } = newLink("--for", "1h");
  await page.goto(url);
  await live(page);
  expect(page.url()).toBe(`${programs.url}/watch/demo`);
  await page.reload();
  await live(page);

  // A tab of its own has no part in it.
  const stranger = await context.newPage();
  await stranger.goto(`${programs.url}/watch/demo`);
  await expect(stranger.locator("#problem")).toContainText("not allowed");
  await stranger.goto(`${programs.url}/watch/nobody`);
  await expect(stranger.locator("#problem")).toContainText("not allowed");
  await stranger.goto(`${url}x`);
  await expect(stranger.locator("#problem")).toContainText("not allowed");
  await stranger.close();
});

test("a link that is taken back ends its viewers' pictures at once, and no others", async ({ page, browser }) => {
  const [taken, kept] = [newLink("--for", "1h"), newLink("--for", "1h")];
  await recordFrames(page);
  await page.goto(taken.url);
  await live(page);
  const other = await browser.newPage();
  await recordFrames(other);
  await other.goto(kept.url);
  await live(other);

  const revoked = Date.now();
  programs.command("link", "revoke", taken.id);
  await expect(page.locator("#problem")).toContainText("withdrawn", { timeout: 5000 });
  const ended = (await lastPicture(page)) - revoked;
  console.log(`link taken back → last picture: ${ended} ms`);
  expect(ended).toBeLessThan(5000);

  const { count } = await frames(other);
  await expect.poll(async () => (await frames(other)).count).toBeGreaterThan(count + 30);
  await live(other);
  await other.close();
  await page.reload();
  await expect(page.locator("#problem")).toContainText("withdrawn");
});

test("a link that runs out ends the picture, even if the server is away by then", async ({ page }) => {
  const { url } = newLink("--for", "12s");
  const until = Date.now() + 12_000;
  await recordFrames(page);
  await page.goto(url);
  await live(page);
  await programs.killServer();
  const ended = (await lastPicture(page)) - until;
  console.log(`link ran out → last picture: ${ended} ms`);
  expect(ended).toBeGreaterThan(-1500);
  expect(ended).toBeLessThan(5000);
  await programs.startServer();
  await expect(page.locator("#problem")).toContainText("expired", { timeout: 15_000 });
});
