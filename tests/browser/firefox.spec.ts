import { expect, test } from "@playwright/test";

import { Firefox } from "./support/firefox.ts";
import { freeUdpPort, Imu } from "./support/imu.ts";
import { distance, middleOf } from "./support/pixels.ts";
import { Programs } from "./support/programs.ts";
import { CLOSE, PATCHES } from "./support/scene.ts";

let programs: Programs;
let firefox: Firefox;

test.beforeEach(async () => {
  programs = await Programs.start();
  firefox = await Firefox.start();
});
test.afterEach(async () => {
  await firefox.stop();
  await programs.stop();
});

const robot = (source: string): string => `
[media]
listen = "127.0.0.1:0"

[[cameras]]
id = "main"
source = "${source}"
width = 640
height = 320
fps = 10
bitrate = 1000000
`;

test("Firefox keeps the horizon level while the robot leans", async ({ page }) => {
  const port = await freeUdpPort();
  const imu = new Imu(port, () => ({ roll: 20, pitch: 0 }));
  try {
    await programs.startRobot(`${robot("test")}\n[attitude]\nlisten = "127.0.0.1:${port}"\n`);
    // Whoever leans to the right has that lower.
    const [, , , right = [0, 0, 0]] = PATCHES.find(([side]) => side === "right") ?? [];
    await firefox.goto(`${programs.url}/watch/demo?yaw=90&pitch=-20&fov=60`);
    await expect.poll(() => firefox.evaluate("document.body.dataset.level")).toBe("kept");
    await expect
      .poll(async () => distance(await middleOf(page, await firefox.screenshot()), right))
      .toBeLessThan(CLOSE);
  } finally {
    imu.close();
  }
});

for (const source of ["test", "test-flat"]) {
  test(`Firefox shows the picture of ${source}, in its colours, and calls it live`, async ({ page }) => {
    await programs.startRobot(robot(source));
    for (const [side, yaw, pitch, colour] of PATCHES.filter(([name]) => source === "test" || name === "front")) {
      await firefox.goto(`${programs.url}/watch/demo?yaw=${yaw}&pitch=${pitch}&fov=60`);
      await expect.poll(() => firefox.evaluate("document.body.dataset.state")).toBe("live");
      const middle = async (): Promise<number> => distance(await middleOf(page, await firefox.screenshot()), colour);
      await expect.poll(middle, side).toBeLessThan(CLOSE);
    }
    const kind = await firefox.evaluate("document.body.dataset.projection");
    expect(kind).toBe(source === "test" ? "equirectangular" : "flat");
  });
}
