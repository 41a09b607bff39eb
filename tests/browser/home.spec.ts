import { expect, test } from "@playwright/test";

import { Programs } from "./support/programs.ts";

test.use({ viewport: { width: 900, height: 600 } });

let programs: Programs;

test.beforeEach(async () => {
  programs = await Programs.start();
});
test.afterEach(() => programs.stop());

const robot = (id: string, source = "test"): string => `
robot = "${id}"

[media]
listen = "127.0.0.1:0"

[[cameras]]
id = "main"
source = "${source}"
width = 640
height = 320
fps = 5
bitrate = 500000
`;

test("whoever comes where one robot is live is taken straight to it", async ({ page }) => {
  await programs.startRobot(robot("demo"));
  await page.goto(programs.url);
  await page.waitForURL("**/watch/demo");
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  // And back to the list, which stays.
  await page.getByRole("link", { name: /all live robots/ }).click();
  await expect(page.getByText("One robot is live.")).toBeVisible();
});

test("the list shows what each robot sees, and stays while more come", async ({ page }) => {
  await page.goto(programs.url);
  await expect(page.getByText("No robot is live right now.")).toBeVisible();
  programs.launchRobot(robot("first"));
  await expect(page.getByText("One robot is live.")).toBeVisible();
  programs.launchRobot(robot("second", "test-flat"));
  await expect(page.getByText("2 robots are live.")).toBeVisible();
  const widths = (): Promise<number[]> =>
    page
      .locator("#robots img:visible")
      .evaluateAll((images) => images.map((image) => (image as HTMLImageElement).naturalWidth));
  await expect.poll(widths).toEqual([640, 640]);
  await page.getByRole("link", { name: "second" }).click();
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
});

test.describe("in Chinese", () => {
  test.use({ locale: "zh-CN" });

  test("the page speaks Chinese to those whose browser does", async ({ page }) => {
    await programs.startRobot(robot("demo"));
    await page.goto(`${programs.url}/watch/demo`);
    await expect(page.locator("#state")).toHaveText("直播中");
    await expect(page.getByRole("button", { name: "更多" })).toBeVisible();
    await expect(page.locator("html")).toHaveAttribute("lang", "zh-Hans");
    await page.goto(`${programs.url}/?list`);
    await expect(page.getByText("有 1 台机器人在线。")).toBeVisible();
  });
});

test.describe("on a phone", () => {
  test.use({ hasTouch: true, isMobile: true, viewport: { width: 390, height: 800 } });

  test("turning the device looks around, and the picture stays level", async ({ page }) => {
    await programs.startRobot(robot("demo"));
    await page.goto(`${programs.url}/watch/demo`);
    await expect(page.locator("body")).toHaveAttribute("data-state", "live");
    await page.getByRole("button", { name: "More" }).click();
    await page.getByRole("button", { name: "Turn the device to look around" }).click();
    await expect(page.locator("#gyro")).toHaveAttribute("aria-pressed", "true");
    const hold = (alpha: number, beta: number, gamma: number): Promise<unknown> =>
      page.evaluate(
        ([a, b, g]) => dispatchEvent(new DeviceOrientationEvent("deviceorientation", { alpha: a, beta: b, gamma: g })),
        [alpha, beta, gamma] as const,
      );
    const view = page.locator("#panorama");
    await hold(0, 90, 0);
    await hold(330, 90, 0);
    await expect(view).toHaveAttribute("data-yaw", "30");
    await hold(330, 110, 0);
    await expect(view).toHaveAttribute("data-pitch", "20");
  });
});
