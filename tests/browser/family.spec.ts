import { expect, test } from "@playwright/test";

import { Family, expectColour, expectMoving, nextEvent, rawClient } from "./support/family.ts";
import { Programs } from "./support/programs.ts";

let programs: Programs;

test.beforeEach(async () => {
  programs = await Programs.start();
});
test.afterEach(() => programs.stop());

test("a page broadcasts to a page that came first and to one that came later", async ({ context }) => {
  const family = await Family.in(context, programs.url);
  const early = await family.open("watcher.html");
  const broadcaster = await family.open("broadcaster.html");
  const late = await family.open("watcher.html");
  await expectMoving(early);
  await expectMoving(late);
  await expectColour(early, [200, 40, 40]);
  expect(await early.evaluate(() => window.seen.broadcaster)).toBe(1);

  // Who leaves is reported under both names, once.
  const id = await late.evaluate(() => window.socket.id);
  await late.close();
  const gone = (): Promise<unknown[]> => broadcaster.evaluate(() => [window.seen.disconnectPeer, window.seen.bye]);
  await expect.poll(gone).toEqual([[id], [id]]);
  await expectMoving(early);
  expect(family.errors).toEqual([]);
});

test("a page that announces itself again gets its watchers again, and the old peers are replaced", async ({
  context,
}) => {
  const family = await Family.in(context, programs.url);
  const broadcaster = await family.open("broadcaster.html");
  const watcher = await family.open("watcher.html");
  await expectColour(watcher, [200, 40, 40]);
  const id = await watcher.evaluate(() => window.socket.id);
  // Who comes while the other announces itself asks twice.
  const asked = await broadcaster.evaluate(() => window.seen.watcher);
  const offers = await watcher.evaluate(() => window.seen.offer);

  await broadcaster.evaluate(() => {
    window.colour = "rgb(40, 60, 200)";
    window.announce();
  });
  await expectColour(watcher, [40, 60, 200]);
  await expect.poll(() => watcher.evaluate(() => window.seen.offer)).toBe(offers + 1);
  expect(await broadcaster.evaluate(() => window.seen.watcher)).toEqual([...asked, id]);
  await expectMoving(watcher);
  expect(family.errors).toEqual([]);
});

test("a broadcasting page never hears from somebody who does not watch it", async ({ context }) => {
  const family = await Family.in(context, programs.url);
  const broadcaster = await family.open("broadcaster.html");
  const watcher = await family.open("watcher.html");
  await expectMoving(watcher);
  const id = (await broadcaster.evaluate(() => window.socket.id)) ?? "";
  const heard = (): Promise<number> =>
    broadcaster.evaluate(() => window.seen.answer.length + window.seen.candidate.length);
  const before = await heard();

  const stranger = await rawClient(programs.url);
  const refusal = nextEvent(stranger, "notice");
  stranger.emit("answer", id, { type: "answer", sdp: "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n" });
  await refusal;
  const again = nextEvent(stranger, "notice");
  stranger.emit("candidate", id, { candidate: "candidate:1 1 udp 1 192.0.2.1 1 typ host" });
  await again;
  stranger.disconnect();
  // The stranger's messages are through; a watcher's goodbye comes after them on the same line.
  const watching = await watcher.evaluate(() => window.socket.id);
  await watcher.close();
  await expect.poll(() => broadcaster.evaluate(() => window.seen.bye)).toEqual([watching]);
  expect(await heard()).toBe(before);
  expect(family.errors).toEqual([]);
});

test("an offer that is null costs nobody the connection", async ({ context }) => {
  const family = await Family.in(context, programs.url);
  const broadcaster = await rawClient(programs.url);
  broadcaster.emit("broadcaster");
  const asked = nextEvent(broadcaster, "watcher");
  const watcher = await family.open("watcher.html");
  const [id] = await asked;
  const told = nextEvent(broadcaster, "notice");
  broadcaster.emit("offer", id, null);
  await told;
  expect(broadcaster.connected).toBe(true);

  // The line still serves both: what comes next reaches the watcher.
  broadcaster.emit("candidate", `/#${String(id)}`, { candidate: "" });
  await expect.poll(() => watcher.evaluate(() => window.seen.candidate)).toEqual([broadcaster.id]);
  broadcaster.disconnect();
});

for (const [what, query] of [
  ["as it is", ""],
  ["whose answer comes after its candidates", "?late=300"],
  ["that writes ids with a prefix", "?prefix=%2F%23"],
] as const) {
  test(`our robot serves a watching page ${what}`, async ({ context }) => {
    const family = await Family.in(context, programs.url);
    const early = await family.open(`watcher.html${query}`);
    const robot = await programs.startRobot();
    const late = await family.open(`watcher.html${query}`);
    await expectMoving(early);
    await expectMoving(late);
    await late.close();
    await expectMoving(early);

    // It comes back for the page's next request, which its announcement brings about.
    await robot.kill();
    await programs.startRobot();
    await expect.poll(() => early.evaluate(() => window.seen.offer)).toBe(2);
    await expectMoving(early);
    expect(family.errors).toEqual([]);
  });
}

test("our page shows what a page broadcasts, and follows it to another camera", async ({ context, page }) => {
  const family = await Family.in(context, programs.url);
  const broadcaster = await family.open("broadcaster.html");
  await page.goto(`${programs.url}/watch/demo`);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  await expectColour(page, [200, 40, 40]);
  await broadcaster.evaluate(() => {
    window.colour = "rgb(40, 60, 200)";
    window.announce();
  });
  await expectColour(page, [40, 60, 200]);
  expect(family.errors).toEqual([]);
});
