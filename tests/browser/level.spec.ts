import { expect, test, type Locator, type Page } from "@playwright/test";

import { recordFrames } from "./support/frames.ts";
import { freeUdpPort, Imu, type Lean } from "./support/imu.ts";
import { askew, PERIOD, recordLevel, rocking } from "./support/level.ts";
import { type Colour, distance, middle, onScreen } from "./support/pixels.ts";
import { Programs } from "./support/programs.ts";
import { inSaved } from "./support/saved.ts";
import { CLOSE, type Direction, PATCHES, towards, wall } from "./support/scene.ts";

// A small window, since drawing in software is what takes the time here.
const [WIDTH, HEIGHT] = [480, 270];
test.use({ viewport: { width: WIDTH, height: HEIGHT } });

let programs: Programs;
let port: number;
let imu: Imu | undefined;

test.beforeEach(async () => {
  programs = await Programs.start();
  port = await freeUdpPort();
});
test.afterEach(async () => {
  imu?.close();
  imu = undefined;
  await programs.stop();
});

const robot = (camera: string): string => `
[media]
listen = "127.0.0.1:0"

[attitude]
listen = "127.0.0.1:${port}"

[[cameras]]
id = "main"
${camera}
`;

const LARGE = "width = 1280\nheight = 640\nfps = 10\nbitrate = 6000000";
const SMALL = "width = 960\nheight = 480\nfps = 20\nbitrate = 1500000";

async function watch(page: Page, hash = ""): Promise<void> {
  await page.goto(`${programs.url}/watch/demo${hash}`);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
}

const rad = (degrees: number): number => (degrees * Math.PI) / 180;
const deg = (radians: number): number => (radians * 180) / Math.PI;

/** Where something lies in the level world that a robot sees there. */
function fromRobot([x, y, z]: Direction, { roll, pitch }: Lean): Direction {
  const [sr, cr, sp, cp] = [Math.sin(rad(roll)), Math.cos(rad(roll)), Math.sin(rad(pitch)), Math.cos(rad(pitch))];
  const [rx, ry] = [cr * x + sr * y, -sr * x + cr * y];
  return [rx, cp * ry - sp * z, sp * ry + cp * z];
}

const FOV = 30;

/** Where on the screen a direction lies, as shares of its width and height, for those who look straight at another one. */
function onView(direction: Direction, yaw: number, pitch: number): [x: number, y: number] {
  const [ahead, right, up] = [towards(yaw, pitch), towards(yaw + 90, 0), towards(yaw, pitch + 90)].map(
    ([x, y, z]) => x * direction[0] + y * direction[1] + z * direction[2],
  ) as [number, number, number];
  const half = Math.tan(rad(FOV / 2));
  return [0.5 + right / ahead / half / 2 / (WIDTH / HEIGHT), 0.5 - up / ahead / half / 2];
}

/** The edges of a patch lie there, as tangents, and a degree to either side of it. */
const EDGE = 11.86;
const [INSIDE, OUTSIDE] = [Math.tan(rad(EDGE - 1)), Math.tan(rad(EDGE + 1))];
const ALONG = 0.12;

/** Which places within a degree of the patches' edges are not what they should be. */
async function misplaced(page: Page, view: Locator, lean: Lean): Promise<string[]> {
  const wrong: string[] = [];
  for (const [name, yaw, pitch, painted] of PATCHES.filter(([side]) => side !== "up")) {
    const [x, y, z] = fromRobot(towards(yaw, pitch), lean);
    // As the address holds them.
    const [lookYaw, lookPitch] = [
      Math.round(deg(Math.atan2(x, -z)) * 10) / 10,
      Math.round(deg(Math.asin(y)) * 10) / 10,
    ];
    await page.evaluate((hash) => (location.hash = hash), `#${lookYaw},${lookPitch},${FOV}`);
    await expect(view).toHaveAttribute("data-pitch", String(lookPitch));
    const spots = [INSIDE, OUTSIDE].flatMap((off) =>
      [
        [off, ALONG],
        [-off, -ALONG],
        [ALONG, off],
        [-ALONG, -off],
      ].map(([right = 0, up = 0]) => ({ inside: off === INSIDE, direction: towards(yaw, pitch, right, up) })),
    );
    const seen = await onScreen(
      page,
      view,
      spots.map(({ direction }) => onView(fromRobot(direction, lean), lookYaw, lookPitch)),
    );
    spots.forEach(({ inside, direction }, index) => {
      const colour: Colour = seen[index] ?? [0, 0, 0];
      const isPatch = distance(colour, painted) < distance(colour, wall(direction));
      if (isPatch !== inside) wrong.push(`${name}, number ${index}: ${colour.join()}`);
    });
  }
  return wrong;
}

const LEAN: Lean = { roll: 20, pitch: -10 };

for (const [name, source] of [
  ["all around", `source = "test"\n${LARGE}`],
  [
    "of two lenses that hang askew",
    `source = "test-dual-fisheye"\nmount = { yaw = 30.0, pitch = 15.0, roll = -10.0 }\n${LARGE}`,
  ],
] as const) {
  test(`a robot that leans shows a level picture ${name}, right to a degree`, async ({ page }) => {
    imu = new Imu(port, () => LEAN);
    await programs.startRobot(robot(source));
    await watch(page);
    await expect(page.locator("body")).toHaveAttribute("data-level", "kept");
    const view = page.locator("#panorama");
    await expect.poll(() => misplaced(page, view, LEAN), { timeout: 30_000 }).toEqual([]);
    await view.focus();
    const [saved] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("Shift+S")]);
    for (const [side, yaw, pitch, painted] of PATCHES.filter(([patch]) => patch !== "up")) {
      const [x, y, z] = fromRobot(towards(yaw, pitch), LEAN);
      const [across, down] = [0.5 + deg(Math.atan2(x, -z)) / 360, 0.5 - deg(Math.asin(y)) / 180];
      const [, , , colour] = await inSaved(page, await saved.path(), across, down);
      expect(distance(colour, painted), `${side}, saved: ${colour.join()}`).toBeLessThan(CLOSE);
    }
    // Whoever wants to see how it leans does.
    await page.keyboard.press("h");
    await expect(page.locator("body")).toHaveAttribute("data-level", "left");
    await expect.poll(() => misplaced(page, view, { roll: 0, pitch: 0 }), { timeout: 30_000 }).toEqual([]);
    await page.keyboard.press("h");
    await expect.poll(() => misplaced(page, view, LEAN), { timeout: 30_000 }).toEqual([]);
    // What is not known is not claimed.
    imu.close();
    imu = undefined;
    await expect(page.locator("body")).toHaveAttribute("data-level", "unknown");
    await expect(page.locator("#level-now")).toHaveText("the robot does not say how it leans");
    await expect.poll(() => misplaced(page, view, { roll: 0, pitch: 0 }), { timeout: 30_000 }).toEqual([]);
  });
}

test("a robot that rocks shows each picture as it leant when that was taken", async ({ page }) => {
  // Whatever is known by the time when a picture is shown is of another than its own, and comes before it, however busy the
  // machine is.
  imu = new Imu(port, rocking, PERIOD / 2);
  await programs.startRobot(robot(`source = "test"\n${SMALL}`));
  await recordFrames(page);
  await recordLevel(page);
  await watch(page);
  await expect(page.locator("body")).toHaveAttribute("data-level", "kept");
  await expect.poll(() => askew(page), { intervals: [2000], timeout: 30_000 }).toBeLessThan(1.5);
});

test("of several cameras at once those are level that lean", async ({ page }) => {
  // It stands on its tail: ahead lies what is its ground.
  imu = new Imu(port, () => ({ roll: 0, pitch: 90 }));
  const rear = `[[cameras]]\nid = "rear"\nsource = "test"\nleans = false\n${SMALL}`;
  await programs.startRobot(robot(`source = "test"\n${SMALL}\n${rear}`));
  await page.goto(`${programs.url}/watch/demo?grid`);
  await expect(page.locator("#grid > li[data-state=live]")).toHaveCount(2);
  for (const [tile, side] of [
    [0, "down"],
    [1, "front"],
  ] as const) {
    const [, , , painted] = PATCHES.find(([name]) => name === side) ?? [];
    const canvas = page.locator("#grid > li").nth(tile).locator("canvas");
    await expect.poll(async () => distance(await middle(page, canvas), painted ?? [0, 0, 0])).toBeLessThan(CLOSE);
  }
});

test("a robot of which nobody says how it leans offers nothing to choose", async ({ page }) => {
  await programs.startRobot();
  await watch(page);
  await page.locator("#menu-toggle").click();
  await expect(page.locator("#way")).toBeVisible();
  await expect(page.locator("#level")).toBeHidden();
  await expect(page.locator("body")).not.toHaveAttribute("data-level", /./);
});
