import { type Page, expect, test } from "@playwright/test";

import { violations } from "./support/axe.ts";
import { Programs } from "./support/programs.ts";

const ROBOT = `
[media]
listen = "127.0.0.1:0"
[[rungs]]
width = 640
bitrate = 500000
[[rungs]]
width = 320
bitrate = 200000
[[cameras]]
id = "around"
title = "All around"
source = "test"
width = 640
height = 320
fps = 10
bitrate = 500000
sound = "tone"
[[cameras]]
id = "arm"
source = "test-flat"
width = 640
height = 320
fps = 10
bitrate = 500000
`;

let programs: Programs;

test.beforeAll(async () => {
  programs = await Programs.start();
  await programs.startRobot(ROBOT);
});
test.afterAll(() => programs.stop());

async function watch(page: Page, path = "/watch/demo"): Promise<void> {
  await page.goto(programs.url + path);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  // What is known of the robot a moment later, too.
  await expect(page.locator("#cameras a")).toHaveCount(3);
  await expect(page.locator("#quality-row")).toHaveJSProperty("hidden", false);
}

/** Brings the page into a state that it may be in for a while. */
const STATES: Record<string, (page: Page) => Promise<void>> = {
  "who is live": async (page) => {
    await page.goto(`${programs.url}/?list`);
    await expect(page.getByRole("link", { name: "demo" })).toBeVisible();
  },
  watching: (page) => watch(page),
  "watching through an ordinary lens": (page) => watch(page, "/watch/demo/arm"),
  "the menu": async (page) => {
    await watch(page);
    await page.locator("#menu-toggle").click();
    await expect(page.locator("#menu")).toBeVisible();
  },
  statistics: async (page) => {
    await watch(page);
    await page.locator("#stats-toggle").click();
    await expect(page.locator("#stats-list .plot").first()).toBeVisible();
  },
  help: async (page) => {
    await watch(page);
    await page.locator("#help-toggle").click();
    await expect(page.locator("#help")).toBeVisible();
  },
  "a quality that was chosen": async (page) => {
    await watch(page);
    await page.locator("#quality").selectOption("1");
    await page.locator("#quality").focus();
  },
  "a little planet": async (page) => {
    await watch(page);
    await page.locator("#panorama").press("p");
    await expect(page.locator("body")).toHaveAttribute("data-view", "planet");
  },
  "the whole picture": async (page) => {
    await watch(page);
    await page.locator("#panorama").press("p");
    await page.locator("#panorama").press("p");
    await expect(page.locator("body")).toHaveAttribute("data-view", "whole");
  },
  recording: async (page) => {
    await watch(page);
    await page.locator("#panorama").press("r");
    await expect(page.locator("#recording")).toBeVisible();
  },
  "a copied link": async (page) => {
    await watch(page);
    await page.locator("#panorama").press("l");
    await expect(page.locator("#notice")).toBeVisible();
  },
  "all cameras": async (page) => {
    await page.goto(`${programs.url}/watch/demo?grid`);
    await expect(page.locator("#grid > li[data-state=live]")).toHaveCount(2);
  },
  "a frame of another page": (page) => watch(page, "/embed/demo"),
  "a frame with all cameras": async (page) => {
    await page.goto(`${programs.url}/embed/demo?grid`);
    await expect(page.locator("#grid > li[data-state=live]")).toHaveCount(2);
  },
  "a robot that nobody knows": async (page) => {
    await page.goto(`${programs.url}/watch/nobody`);
    await expect(page.locator("#problem")).toContainText("no robot of this name");
  },
  "a camera that nobody knows": async (page) => {
    await page.goto(`${programs.url}/watch/demo/nose`);
    await expect(page.locator("#problem")).toContainText("no camera of this name");
  },
  "an operator's door": async (page) => {
    await page.goto(`${programs.url}/admin`);
    await expect(page.locator("h1")).toBeVisible();
  },
};

for (const [state, enter] of Object.entries(STATES)) {
  test(`nothing keeps anybody from using ${state}`, async ({ page }) => {
    await enter(page);
    expect(await violations(page)).toEqual([]);
  });
}

test.describe("in Chinese", () => {
  test.use({ locale: "zh-CN" });

  for (const state of ["who is live", "the menu", "statistics", "help", "all cameras"] as const) {
    test(`nothing keeps anybody from using ${state}`, async ({ page }) => {
      await STATES[state]?.(page);
      await expect(page.locator("html")).toHaveAttribute("lang", /^zh/);
      expect(await violations(page)).toEqual([]);
    });
  }
});

test.describe("on a phone", () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });

  for (const state of ["watching", "the menu", "statistics", "all cameras"] as const) {
    test(`nothing keeps anybody from using ${state}`, async ({ page }) => {
      await STATES[state]?.(page);
      expect(await violations(page)).toEqual([]);
    });
  }
});

test("nothing keeps anybody from reading that robot or server are gone", async ({ page }) => {
  const others = await Programs.start();
  try {
    const robot = await others.startRobot(ROBOT);
    for (const path of ["/watch/demo", "/watch/demo?grid"]) {
      await page.goto(others.url + path);
      await expect(page.locator("body")).toHaveAttribute("data-state", "live");
    }
    await expect(page.locator("#grid > li")).toHaveCount(2);
    await robot.kill();
    await expect(page.getByText("The robot is offline")).toHaveCount(2);
    expect(await violations(page)).toEqual([]);
    await page.goto(`${others.url}/watch/demo`);
    await expect(page.getByText("The robot is offline")).toBeVisible();
    expect(await violations(page)).toEqual([]);
    const next = await others.startRobot(ROBOT);
    await expect(page.locator("body")).toHaveAttribute("data-state", "live");
    await others.killServer();
    await next.kill();
    await expect(page.getByText("The server cannot be reached")).toBeVisible();
    expect(await violations(page)).toEqual([]);
  } finally {
    await others.stop();
  }
});

test("nothing keeps anybody who is not let in from reading why", async ({ page }) => {
  const guarded = await Programs.start('state_dir = "$FILES/state"\n[auth]\nmode = "keys"\n');
  try {
    await page.goto(`${guarded.url}/watch/demo`);
    await expect(page.locator("#retry")).toBeVisible();
    expect(await violations(page)).toEqual([]);
  } finally {
    await guarded.stop();
  }
});
