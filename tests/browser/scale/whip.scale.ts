import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

import { expect, test } from "@playwright/test";

import { frames, recordFrames } from "../support/frames.ts";
import { Program, Programs } from "../support/programs.ts";
import { ROBOT } from "./robot.ts";

test.use({ viewport: { width: 640, height: 400 } });

/** Pion's example of a server that takes one picture by WHIP, and gives it by WHEP, at a port that it chooses itself. */
const program = process.env["WHIP_SERVER"] ?? "";
test.skip(program === "", "SKIPPED: there is no server that speaks WHIP and WHEP ($WHIP_SERVER)");
const URL = "http://127.0.0.1:8080";

const SERVER = `
[sfu]
kind = "whip"
publish = "${URL}/whip?of={robot}.{camera}"
play = "${URL}/whep?of={robot}.{camera}"
authorization = "Bearer hunter2"
`;

const answers = (): Promise<boolean> =>
  fetch(URL).then(
    () => true,
    () => false,
  );

let media: ChildProcess;
let ended: Promise<unknown>;
let programs: Programs;

test.beforeAll(async () => {
  media = spawn(program, { stdio: "ignore" });
  ended = once(media, "exit");
  await expect.poll(answers, { message: "it is there" }).toBe(true);
  programs = await Programs.start(SERVER);
  await programs.startRobot(ROBOT);
});
test.afterAll(async () => {
  await programs.stop();
  media.kill("SIGKILL");
  await ended;
});

test("a crowd goes to any server that speaks WHIP and WHEP, and comes back when that ends", async ({ page }) => {
  await recordFrames(page);
  await page.goto(`${programs.url}/watch/demo`);
  const body = page.locator("body");
  await expect(body).toHaveAttribute("data-state", "live");
  await expect(body).toHaveAttribute("data-media", "p2p");
  const crowd = new Program("loadgen", ["--server", programs.url, "--viewers", "2", "--seconds", "300"]);
  await expect(body).toHaveAttribute("data-media", "whep");
  const { count } = await frames(page);
  await expect.poll(async () => (await frames(page)).count).toBeGreaterThan(count + 60);
  await expect(body).toHaveAttribute("data-state", "live");
  media.kill("SIGKILL");
  await expect(body).toHaveAttribute("data-media", "p2p");
  await expect(body).toHaveAttribute("data-state", "live");
  await crowd.end();
});
