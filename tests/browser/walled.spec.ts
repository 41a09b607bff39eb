import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { type Browser, type Page, chromium, expect, test } from "@playwright/test";

import { Networks, SERVER } from "./support/networks.ts";
import { Program } from "./support/programs.ts";
import { path, received, watchPeers } from "./support/receiver.ts";

const URL = `http://${SERVER}:8080`;

/** On all addresses, of which the one that both know is not the one that either is next to. */
const RELAY = `[turn]\nenabled = true\nlisten = ["0.0.0.0:3478"]\npublic_address = "${SERVER}"\n`;

const ROBOT = `
[[cameras]]
id = "main"
source = "test"
width = 480
height = 240
bitrate = 500000
`;

if (Networks.missing !== undefined) console.warn(Networks.missing);
test.skip(Networks.missing !== undefined, Networks.missing);

let networks: Networks | undefined;
let browser: Browser | undefined;
let running: Program[] = [];

test.afterEach(async () => {
  await browser?.close();
  browser = undefined;
  await Promise.all(running.map((program) => program.end()));
  running = [];
  networks?.remove();
  networks = undefined;
});

/** Opens the robot's page in a browser on the viewer's machine, with all programs where they belong. */
async function open(config: string, { udp }: { udp: boolean }): Promise<Page> {
  const made = Networks.create();
  networks = made;
  if (!udp) for (const machine of ["robot", "viewer"] as const) made.blockUdp(machine);
  const start = (machine: "server" | "robot", name: string, text: string, args: string[]): void => {
    const file = join(made.files, `${name}.toml`);
    writeFileSync(file, text);
    running.push(new Program(name, ["--config", file, "--log", "error", ...args], {}, made.within(machine)));
  };
  start("server", "server", config, ["--listen", `${SERVER}:8080`, "--insecure"]);
  start("robot", "broadcaster", ROBOT, ["--server", URL]);
  const { executablePath = "chromium", ...options } = test.info().project.use.launchOptions ?? {};
  browser = await chromium.launch({ ...options, executablePath: made.wrapper("viewer", executablePath) });
  const page = await browser.newPage({ viewport: { width: 400, height: 300 } });
  await watchPeers(page);
  await expect(async () => {
    await page.goto(`${URL}/watch/demo`);
  }, "the server answers").toPass();
  return page;
}

async function moves(page: Page): Promise<void> {
  await expect(page.locator("body")).toHaveAttribute("data-state", "live", { timeout: 60_000 });
  const before = (await received(page))?.decoded ?? 0;
  await expect.poll(async () => (await received(page))?.decoded).toBeGreaterThan(before + 20);
}

test("where robot and viewer reach nothing but the server, its relay connects them", async () => {
  const page = await open(RELAY, { udp: true });
  await moves(page);
  const way = await path(page);
  // Whichever of its ways in answers first.
  expect(["udp", "tcp"]).toContain(way?.relayProtocol);
  expect([way?.local, way?.remote]).toEqual(["relay", "relay"]);
});

test("and where they have no UDP either", async () => {
  const page = await open(RELAY, { udp: false });
  await moves(page);
  const way = await path(page);
  expect([way?.local, way?.relayProtocol, way?.remote]).toEqual(["relay", "tcp", "relay"]);
});

test("and without it they find no way", async () => {
  const page = await open("", { udp: true });
  await expect(page.locator("#problem")).toHaveText(/No way to the robot was found/, { timeout: 90_000 });
  expect(await received(page).then((video) => video?.decoded ?? 0)).toBe(0);
});
