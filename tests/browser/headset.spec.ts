import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { expect, test, type Page } from "@playwright/test";

import { freeUdpPort, Imu } from "./support/imu.ts";
import { distance, middleOf, type Colour } from "./support/pixels.ts";
import { Programs } from "./support/programs.ts";
import { CLOSE, NOTHING, PATCHES } from "./support/scene.ts";

// Each eye has one half of it.
test.use({ viewport: { width: 800, height: 400 } });

let programs: Programs;

test.beforeEach(async () => {
  programs = await Programs.start();
});
test.afterEach(() => programs.stop());

const EMULATOR = readFileSync(createRequire(import.meta.url).resolve("iwer/build/iwer.min.js"), "utf8");

/** The emulated headset, as far as it is needed here. */
interface Headset {
  stereoEnabled: boolean;
  quaternion: { set(x: number, y: number, z: number, w: number): void };
  controllers: { right?: { updateAxes(id: string, x: number, y: number): void } };
}

declare global {
  interface Window {
    headset: Headset;
    /** What the headset was told to show, one after the other: what the page draws, or a video that it lays around. */
    layers: ("drawn" | "laid")[];
  }
}

async function wear(page: Page): Promise<void> {
  await page.addInitScript(EMULATOR);
  await page.addInitScript(() => {
    const { IWER } = window as unknown as {
      IWER: { XRDevice: new (kind: object) => Headset & { installRuntime(how: object): void }; metaQuest3: object };
    };
    const headset = new IWER.XRDevice(IWER.metaQuest3);
    headset.installRuntime({ forceInstall: true });
    headset.stereoEnabled = true;
    window.headset = headset;
  });
}

/** Turns the wearer's head: around first, then up. */
async function face(page: Page, yaw: number, pitch: number): Promise<void> {
  await page.evaluate(
    ([around, up]) => {
      const [sy, cy] = [Math.sin(-around / 2), Math.cos(-around / 2)];
      const [sp, cp] = [Math.sin(up / 2), Math.cos(up / 2)];
      window.headset.quaternion.set(cy * sp, sy * cp, -sy * sp, cy * cp);
    },
    [(yaw * Math.PI) / 180, (pitch * Math.PI) / 180] as const,
  );
}

/** What the middle of each eye's picture is. */
async function eyes(page: Page): Promise<[Colour, Colour]> {
  const half = { y: 0, width: 400, height: 400 };
  const left = await page.screenshot({ clip: { ...half, x: 0 } });
  const right = await page.screenshot({ clip: { ...half, x: 400 } });
  return [await middleOf(page, left), await middleOf(page, right)];
}

const SOURCES: [name: string, camera: string][] = [
  ["all around", 'source = "test"\nmount = { yaw = 20.0, pitch = 0.0, roll = 0.0 }'],
  ["of two lenses", 'source = "test-dual-fisheye"'],
];
const robot = (camera: string, more = ""): string => `
[media]
listen = "127.0.0.1:0"
${more}
[[cameras]]
id = "main"
width = 960
height = 480
fps = 10
bitrate = 3000000
${camera}
`;

async function putOn(page: Page): Promise<void> {
  await wear(page);
  await page.goto(`${programs.url}/watch/demo`);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  await page.getByRole("button", { name: "More" }).click();
  await page.getByRole("button", { name: "Put on a headset" }).click();
}

async function shows(page: Page, colour: Colour, what: string): Promise<void> {
  const worst = async (): Promise<number> => Math.max(...(await eyes(page)).map((eye) => distance(eye, colour)));
  await expect.poll(worst, what).toBeLessThan(CLOSE);
}

for (const [name, camera] of SOURCES) {
  test(`a headset shows both eyes a picture ${name}, each thing where it is`, async ({ page }) => {
    const shown = await programs.startRobot(robot(camera));
    await putOn(page);
    for (const [side, yaw, pitch, colour] of PATCHES) {
      await face(page, yaw, pitch);
      await shows(page, colour, side);
    }
    // Three pushes of the stick are a quarter turn, and what was on the right is ahead.
    await face(page, 0, 0);
    for (let push = 0; push < 3; push++) {
      for (const x of [1, 0]) {
        await page.evaluate(async (to) => {
          window.headset.controllers.right?.updateAxes("thumbstick", to, 0);
          // The page looks at the stick once per frame.
          for (let frame = 0; frame < 3; frame++) await new Promise((resolve) => requestAnimationFrame(resolve));
        }, x);
      }
    }
    const [, , , right] = PATCHES.find(([side]) => side === "right") ?? [];
    await shows(page, right ?? NOTHING, "turned by the stick");
    await shown.kill();
    await shows(page, NOTHING, "what is not of now is not shown");
  });
}

test("a headset shows a robot that leans to its right the world level", async ({ page }) => {
  const port = await freeUdpPort();
  const imu = new Imu(port, () => ({ roll: 20, pitch: 0 }));
  try {
    await programs.startRobot(robot('source = "test"', `\n[attitude]\nlisten = "127.0.0.1:${port}"\n`));
    await putOn(page);
    const lies: Record<string, readonly [yaw: number, pitch: number]> = {
      front: [0, 0],
      right: [90, -20],
      back: [180, 0],
      left: [-90, 20],
      down: [-90, -70],
    };
    for (const [side, , , colour] of PATCHES) {
      const direction = lies[side];
      if (!direction) continue;
      await face(page, ...direction);
      await shows(page, colour, side);
    }
  } finally {
    imu.close();
  }
});

test("a headset that can lays a video around its wearer while it is of now, and needs nothing that it cannot", async ({
  page,
}) => {
  const shown = await programs.startRobot(robot('source = "test"'));
  await wear(page);
  // The emulated one cannot: what it would be told is noted.
  await page.addInitScript(() => {
    window.layers = [];
    const { XRSession, XRWebGLLayer } = window as unknown as Record<string, new () => object>;
    if (!XRSession || !XRWebGLLayer) throw new Error("no headset");
    const session = XRSession.prototype as Record<string, (...args: unknown[]) => unknown>;
    const update = session["updateRenderState"];
    session["updateRenderState"] = function (this: unknown, ...args: unknown[]) {
      const [state] = args as [{ layers?: unknown[] }];
      const [layer] = state.layers ?? [];
      if (!layer) return update?.apply(this, args);
      const drawn = layer instanceof XRWebGLLayer;
      window.layers.push(drawn ? "drawn" : "laid");
      return drawn ? update?.call(this, { baseLayer: layer }) : undefined;
    };
    Object.defineProperty(session, "enabledFeatures", { get: () => ["layers"] });
    Object.assign(window, {
      XRMediaBinding: class {
        createEquirectLayer(): object {
          return {};
        }
      },
    });
  });
  await page.goto(`${programs.url}/watch/demo`);
  await expect(page.locator("body")).toHaveAttribute("data-state", "live");
  await page.getByRole("button", { name: "More" }).click();
  await page.getByRole("button", { name: "Put on a headset" }).click();
  const told = (): Promise<string[]> => page.evaluate(() => window.layers);
  await expect.poll(told).toEqual(["drawn", "laid"]);
  await shown.kill();
  await expect.poll(told).toEqual(["drawn", "laid", "drawn"]);
  // It comes back with a mount, which the headset cannot undo.
  await programs.startRobot(robot('source = "test"\nmount = { yaw = 90.0, pitch = 0.0, roll = 0.0 }'));
  await expect(page.locator("body")).toHaveAttribute("data-state", "live", { timeout: 30_000 });
  const [, , , front] = PATCHES.find(([side]) => side === "front") ?? [];
  await face(page, 0, 0);
  await shows(page, front ?? NOTHING, "drawn, and as it is mounted");
  expect(await told()).toEqual(["drawn", "laid", "drawn"]);
});
