import { networkInterfaces } from "node:os";

import { type Page, expect, test } from "@playwright/test";

import { Coturn } from "./support/coturn.ts";
import { Programs } from "./support/programs.ts";
import { type Traits, path, received, watchPeers } from "./support/receiver.ts";
import { MisleadingStun } from "./support/stun.ts";

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

/** What sends from here reaches nobody but this machine's IPv6, which relay and viewer do not use. */
const CUT_OFF = robot("[::1]");
const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));

let coturn: Coturn;
let programs: Programs | undefined;

test.beforeAll(async () => {
  coturn = await Coturn.start();
});
test.afterEach(async () => {
  await programs?.stop();
  programs = undefined;
});
test.afterAll(() => coturn.stop());

/** Opens the page of a robot that is reached by way of these servers, and waits until its picture moves. */
async function watch(page: Page, servers: string, config: string, traits: Traits = {}): Promise<void> {
  programs = await Programs.start(servers);
  await programs.startRobot(config);
  await watchPeers(page, traits);
  await page.goto(`${programs.url}/watch/demo`);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  const before = (await received(page))?.decoded ?? 0;
  await expect.poll(async () => (await received(page))?.decoded).toBeGreaterThan(before + 20);
}

/** What kinds of candidates the robot's offer names. */
const offered = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const lines = window.peers.at(-1)?.remoteDescription?.sdp.matchAll(/^a=candidate:.* typ (\S+)/gm) ?? [];
    return Array.from(lines, ([, kind]) => kind ?? "").toSorted();
  });

test("a viewer that is reached through a relay only gets the picture over UDP", async ({ page }) => {
  await watch(page, coturn.listed(), robot("127.0.0.1"), { relayed: true });
  const way = await path(page);
  expect([way?.local, way?.relayProtocol]).toEqual(["relay", "udp"]);
});

test("a robot without UDP is reached through its relay over TCP", async ({ page }) => {
  test.skip(!hasIpv6, "without IPv6 no address is out of the viewer's reach");
  await watch(page, coturn.listed("?transport=tcp"), CUT_OFF, { walled: true });
  expect((await path(page))?.remote).toBe("relay");
});

test("two relays connect what can reach nothing else", async ({ page }) => {
  test.skip(!hasIpv6, "without IPv6 no address is out of the relay's reach");
  await watch(page, coturn.listed("?transport=tcp"), CUT_OFF, { relayed: true });
  const way = await path(page);
  expect([way?.local, way?.relayProtocol, way?.remote]).toEqual(["relay", "tcp", "relay"]);
});

test("a relay that shares our secret takes the credentials that are made here", async ({ page }) => {
  test.skip(!hasIpv6, "without IPv6 no address is out of the relay's reach");
  const sharing = await Coturn.start("north and south");
  try {
    await watch(page, sharing.listed("?transport=tcp"), CUT_OFF, { relayed: true });
    const way = await path(page);
    expect([way?.local, way?.relayProtocol, way?.remote]).toEqual(["relay", "tcp", "relay"]);
  } finally {
    await sharing.stop();
  }
});

test("an address that others see is offered when it is another than the robot's own", async ({ page }) => {
  await watch(page, coturn.listed(), robot("127.0.0.1"));
  expect(await offered(page), "the relay sees the robot where it is").toEqual(["host", "relay"]);
  expect((await path(page))?.remote).toBe("host");
  await programs?.stop();

  const stun = await MisleadingStun.start("203.0.113.7", 4242);
  await watch(page, `[ice]\nservers = [{ urls = ["stun:127.0.0.1:${stun.port}"] }]\n`, robot("127.0.0.1"));
  await expect.poll(() => offered(page)).toEqual(["host", "srflx"]);
  const sdp = await page.evaluate(() => window.peers.at(-1)?.remoteDescription?.sdp);
  expect(sdp).toMatch(/203\.0\.113\.7 4242 typ srflx/);
  await stun.stop();
});
