import { expect, test } from "@playwright/test";

import { Programs } from "./support/programs.ts";

let programs: Programs;

test.beforeEach(async () => {
  programs = await Programs.start();
});
test.afterEach(() => programs.stop());

test("where no WebSocket gets through, the picture comes, and comes back, all the same", async ({ page }) => {
  await page.addInitScript(() => {
    // Nobody answers there.
    const Real = window.WebSocket;
    window.WebSocket = new Proxy(Real, { construct: () => new Real("ws://127.0.0.1:9/") });
  });
  const robot = await programs.startRobot();
  await page.goto(`${programs.url}/watch/demo`);
  const body = page.locator("body");
  await expect(body).toHaveAttribute("data-state", "live");
  expect(await programs.viewers()).toBe(1);
  const session = await body.getAttribute("data-session");

  await programs.killServer();
  await programs.startServer();
  await expect.poll(() => programs.viewers()).toBe(1);
  await expect(body).toHaveAttribute("data-session", session ?? "");

  await robot.kill();
  await expect(body).toHaveAttribute("data-state", "waiting");
  programs.launchRobot();
  await expect(body).toHaveAttribute("data-state", "live");
  await page.goto("about:blank");
  await expect.poll(() => programs.viewers()).toBe(0);
});
