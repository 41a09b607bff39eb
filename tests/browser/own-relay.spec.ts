import { networkInterfaces } from "node:os";

import { type Page, expect, test } from "@playwright/test";

import { Programs, freePort } from "./support/programs.ts";
import { type Traits, path, received, watchPeers } from "./support/receiver.ts";

// A small window, since drawing in software is what takes the time here.
test.use({ viewport: { width: 400, height: 300 } });

/** A robot that sends from this address only. */
const robot = (address: string): string => `
[media]
listen = "${address}:0"

[[cameras]]
id = "main"
source = "test"
width = 480
height = 240
bitrate = 500000
`;

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));

let programs: Programs | undefined;

test.afterEach(async () => {
  await programs?.stop();
  programs = undefined;
});

/** Opens the page of a robot beside a server that relays, and waits until its picture moves. */
async function watch(page: Page, config: string, traits: Traits, lifetime = "1h"): Promise<void> {
  const listen = `127.0.0.1:${await freePort()}`;
  const turn = `[ice]\nlifetime = "${lifetime}"\n[turn]\nenabled = true\nlisten = ["${listen}"]\npublic_address = "127.0.0.1"\n`;
  programs = await Programs.start(turn);
  await programs.startRobot(config);
  await watchPeers(page, traits);
  await page.goto(`${programs.url}/watch/demo`);
  await moves(page);
}

async function moves(page: Page): Promise<void> {
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  const before = (await received(page))?.decoded ?? 0;
  await expect.poll(async () => (await received(page))?.decoded).toBeGreaterThan(before + 20);
}

/** The robot's addresses at relays, as its last offer names them. */
const relays = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const lines = window.peers.at(-1)?.remoteDescription?.sdp.matchAll(/^a=candidate:.* (\S+ \d+) typ relay/gm) ?? [];
    return Array.from(lines, ([, address]) => address ?? "").toSorted();
  });

test("the server's own relay carries the picture over UDP, from its relayed address to another", async ({ page }) => {
  // Of two ways a busy machine may find the other one first.
  await watch(page, robot("127.0.0.1"), { relayed: true, over: "udp" });
  const way = await path(page);
  expect([way?.local, way?.relayProtocol, way?.remote]).toEqual(["relay", "udp", "relay"]);
});

test("and over TCP, where neither has UDP", async ({ page }) => {
  test.skip(!hasIpv6, "without IPv6 no address is out of the relay's reach");
  await watch(page, robot("[::1]"), { relayed: true, over: "tcp" });
  const way = await path(page);
  expect([way?.local, way?.relayProtocol, way?.remote]).toEqual(["relay", "tcp", "relay"]);
});

test("a viewer whose relay has ended with its credentials comes back to a robot that has kept its own", async ({
  page,
}) => {
  await watch(page, robot("127.0.0.1"), { relayed: true }, "15s");
  const before = await relays(page);
  expect(before.length).toBeGreaterThan(0);
  await expect.poll(() => page.evaluate(() => window.peers.length), { timeout: 90_000 }).toBeGreaterThan(1);
  await moves(page);
  // Longer than its first credentials, and its second, held.
  expect(await relays(page)).toEqual(before);
});
