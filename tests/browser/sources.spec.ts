import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect, test } from "@playwright/test";

import { frames, recordFrames } from "./support/frames.ts";
import { distance, inPanorama } from "./support/pixels.ts";
import { Program, Programs, freePort } from "./support/programs.ts";
import { CLOSE, PATCHES } from "./support/scene.ts";

// A small window, since drawing in software is what takes the time here.
test.use({ viewport: { width: 640, height: 360 } });

/** Some seconds of the drawn room all around, with its time stamp, and where they are. */
let folder: string;
let film: string;
let programs: Programs;

const robot = (camera: string, size = "width = 640\nheight = 320"): string => `
[media]
listen = "127.0.0.1:0"

[recording]
dir = "${folder}"

[[cameras]]
id = "main"
${size}
bitrate = 2000000
${camera}
`;

/** Some ten seconds, as little of the room moves. */
const ENOUGH = 100_000;

test.beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "panocast-sources-"));
  const recorder = await Programs.start();
  try {
    const broadcaster = await recorder.startRobot(robot('source = "test"\nrecord = true'));
    const recordings = join(folder, "demo", "main");
    const films = (): string[] =>
      (existsSync(recordings) ? readdirSync(recordings) : []).map((file) => join(recordings, file));
    const recorded = (): number => Math.max(0, ...films().map((file) => statSync(file).size));
    await expect.poll(recorded, { timeout: 100_000 }).toBeGreaterThan(ENOUGH);
    await broadcaster.end();
    film = films()[0] ?? "";
  } finally {
    await recorder.stop();
  }
});
test.afterAll(() => rmSync(folder, { recursive: true }));
test.beforeEach(async () => {
  programs = await Programs.start();
});
test.afterEach(() => programs.stop());

const pipeline = (elements: string): string => `source = "pipeline"\npipeline = '${elements}'`;
const PICTURES = "decodebin ! videoconvert";
/** A keyframe each second, as cameras give. */
const ENCODED = "x264enc tune=zerolatency speed-preset=ultrafast bitrate=2000 key-int-max=30";
/** Something that only the right crop and the right turn, in this order, undo. */
const ASKEW = "videoflip video-direction=90l ! videobox left=-16 right=-8 top=-40 bottom=-24 ! videoconvert";

const SOURCES: [name: string, camera: (port: number) => string][] = [
  ["a network camera", (port) => `source = "rtsp"\nurl = "rtsp://127.0.0.1:${port}/camera"`],
  [
    "a network camera that is sent on as it comes",
    (port) => `source = "rtsp"\nurl = "rtsp://127.0.0.1:${port}/camera"\npassthrough = true`,
  ],
  ["a file", () => `source = "file"\npath = "${film}"`],
  ["somebody's own elements", () => pipeline(`filesrc location=${film} ! ${PICTURES} ! clocksync`)],
  [
    "somebody's own elements that are sent on as they come",
    () => `${pipeline(`filesrc location=${film} ! ${PICTURES} ! clocksync ! ${ENCODED}`)}\npassthrough = true`,
  ],
  [
    "what must be cut and turned",
    () =>
      `${pipeline(`filesrc location=${film} ! ${PICTURES} ! ${ASKEW} ! clocksync`)}
crop = { left = 16, right = 8, top = 40, bottom = 24 }
rotate = 90`,
  ],
];

for (const [name, camera] of SOURCES) {
  test(`the picture of ${name} is upright and in its colours`, async ({ page }) => {
    const port = await freePort();
    // Some are this one.
    const network = new Program("rtsp-camera", ["--port", String(port), "--film", film]);
    try {
      await programs.startRobot(robot(camera(port)));
      await recordFrames(page);
      await page.goto(`${programs.url}/watch/demo`);
      await expect(page.locator("body")).toHaveAttribute("data-projection", "flat");
      // It can only be read where it is drawn: in the left upper corner, neither turned nor mirrored nor moved.
      await expect.poll(async () => (await frames(page)).stamped).toBeGreaterThan(30);
      const { stamp } = await frames(page);
      await expect.poll(async () => (await frames(page)).stamp, "time goes on").not.toBe(stamp);
      for (const [side, yaw, pitch, colour] of PATCHES) {
        const off = async (): Promise<number> => distance(await inPanorama(page.locator("#video"), yaw, pitch), colour);
        await expect.poll(off, side).toBeLessThan(CLOSE);
      }
    } finally {
      await network.end();
    }
  });
}
