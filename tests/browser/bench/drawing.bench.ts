import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { type CDPSession, type Page, expect, test } from "@playwright/test";

import { quantile } from "../support/frames.ts";

/** Slow enough for software that stands in for a GPU: frames that it cannot draw in time are decoded for nothing. */
const SIZES = [
  { width: 1920, height: 960, fps: 3, frames: 15 },
  { width: 3840, height: 1920, fps: 1, frames: 6 },
];
/** Plays from the start again after these many seconds. */
const LENGTH = 12;
/** `nothing` decodes as the others do; what they take beyond it is theirs. */
const WAYS = ["nothing", "ours", "three"] as const;
const ROUNDS = 5;
/** The first frames also pay for shaders and for code that is not yet compiled. */
const WARM = 2;
/** Frames that are waited for until the GPU has drawn them. */
const FINISHED = 4;
/** However much the rounds differ, ours is not taken for as cheap as three.js beyond this. */
const MOST_NOISE = 0.1;

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const results = here("../../../target/bench");
const files = mkdtempSync(join(tmpdir(), "panocast-drawing-"));
const ADDRESS = "https://drawing.invalid/";
const figures: Record<string, unknown> = {};

test.setTimeout(600_000);
test.beforeAll(() => {
  const options = ["--outDir", files, "--emptyOutDir", "--base", "./", "--logLevel", "error"];
  const vite = here("../../../web-viewer/node_modules/vite/bin/vite.js");
  execFileSync(process.execPath, [vite, "build", here("drawing"), ...options], { stdio: "inherit" });
  for (const { width, height, fps } of SIZES) {
    const raw = `video/x-raw,format=I420,width=${width},height=${height},framerate=${fps}/1`;
    const source = `videotestsrc num-buffers=${LENGTH * fps} horizontal-speed=8 ! ${raw}`;
    const encoder = "vp8enc deadline=1 cpu-used=8 target-bitrate=4000000";
    const pipeline = `${source} ! ${encoder} ! webmmux ! filesink location=${files}/${width}.webm`;
    execFileSync("gst-launch-1.0", ["--quiet", ...pipeline.split(" ")], { stdio: "inherit" });
  }
});
test.afterAll(() => {
  rmSync(files, { recursive: true });
  mkdirSync(results, { recursive: true });
  writeFileSync(`${results}/drawing.json`, `${JSON.stringify(figures, null, 2)}\n`);
});

/** What one way took in one turn. */
interface Turn {
  seconds: number;
  drawn: number;
  /** What the browser says that it has shown: more, where it does not keep up. */
  shown: number;
  /** Processor time of the page's and of the GPU's processes, in milliseconds. */
  cpu: number;
  /** Of the page's thread, and until the last pixel is there, in milliseconds per frame. */
  held: number;
  finished: number;
}

async function cpu(browser: CDPSession): Promise<number> {
  const { processInfo } = await browser.send("SystemInfo.getProcessInfo");
  const drawing = processInfo.filter(({ type }) => type === "renderer" || type === "GPU");
  return 1000 * drawing.reduce((sum, { cpuTime }) => sum + cpuTime, 0);
}

async function until(page: Page, frames: number): Promise<{ at: number; frames: number; shown: number; held: number }> {
  await page.waitForFunction((count) => window.counts.frames >= count, frames);
  return page.evaluate(() => ({ at: performance.now(), ...window.counts }));
}

async function turn(page: Page, browser: CDPSession, frames: number): Promise<Turn> {
  const { frames: warm } = await until(page, WARM);
  const before = await cpu(browser);
  const from = await until(page, warm);
  const to = await until(page, from.frames + frames);
  const taken = (await cpu(browser)) - before;
  const drawn = to.frames - from.frames;
  await page.evaluate(() => {
    window.finish = true;
  });
  // The one after this may have begun without waiting.
  const waited = await until(page, to.frames + 2);
  const last = await until(page, waited.frames + FINISHED);
  return {
    seconds: (to.at - from.at) / 1000,
    drawn,
    shown: to.shown - from.shown,
    cpu: taken,
    held: (to.held - from.held) / drawn,
    finished: (last.held - waited.held) / (last.frames - waited.frames),
  };
}

const median = (values: number[]): number => quantile(values, 0.5);
const distance = (values: number[]): number => median(values.map((value) => Math.abs(value - median(values))));

for (const { width, height, frames } of SIZES) {
  test(`drawing ${width}×${height}`, async ({ page }) => {
    await page.route(`${ADDRESS}**`, (route) => {
      const { pathname } = new URL(route.request().url());
      return route.fulfill({ path: join(files, pathname === "/" ? "index.html" : pathname) });
    });
    const browser = await page.context().browser()?.newBrowserCDPSession();
    if (!browser) throw new Error("no way to ask the browser for its processes");

    const turns = { nothing: [] as Turn[], ours: [] as Turn[], three: [] as Turn[] };
    const first = { nothing: [] as number[], ours: [] as number[], three: [] as number[] };
    for (let round = 0; round < ROUNDS; round++) {
      // Who comes first may find the machine otherwise than who comes last.
      for (const way of round % 2 ? WAYS.toReversed() : WAYS) {
        await page.goto(`${ADDRESS}?way=${way}&width=${width}`);
        turns[way].push(await turn(page, browser, frames));
        if (round === 0) first[way] = await page.evaluate(() => window.first());
      }
    }
    // All but the edges of what is in the picture, where the sphere's triangles are seen.
    const apart = first.ours.map((value, index) => Math.abs(value - (first.three[index] ?? Number.NaN)));
    expect(quantile(apart, 0.8), "both draw the same picture").toBeLessThanOrEqual(12);

    /** In milliseconds of processor time per frame, beyond what decoding takes in that time. */
    const costs = (way: "ours" | "three"): number[] =>
      turns[way].map(({ cpu: taken, seconds, drawn }, round) => {
        const idle = turns.nothing[round];
        return idle ? (taken - (idle.cpu / idle.seconds) * seconds) / drawn : Number.NaN;
      });
    const [ours, three] = [costs("ours"), costs("three")];
    const ratios = ours.map((cost, round) => cost / (three[round] ?? Number.NaN));
    const [ratio, noise] = [median(ratios), distance(ratios)];

    console.log(`${width}×${height} drawn on 1280×720, medians of ${ROUNDS} rounds, load ${loadavg()[0]?.toFixed(1)}`);
    for (const [way, cost] of [["ours", ours] as const, ["three", three] as const]) {
      const of = (figure: keyof Turn): number => median(turns[way].map((each) => each[figure]));
      const sum = (figure: "drawn" | "shown"): number => turns[way].reduce((all, each) => all + each[figure], 0);
      const taken = median(cost);
      console.log(
        `  ${way.padEnd(6)} ${taken.toFixed(1).padStart(6)} ms of processor time a frame, ` +
          `${((30 * taken) / 1000).toFixed(2).padStart(5)} s a second at 30 fps; page held ${of("held").toFixed(2)} ms, ` +
          `drawn after ${of("finished").toFixed(0)} ms; ${sum("drawn")} drawn of ${sum("shown")}`,
      );
    }
    console.log(
      `  ratio  ${ratio.toFixed(2)} ± ${noise.toFixed(2)} (${ratios.map((each) => each.toFixed(2)).join(" ")})`,
    );
    figures[`${width}x${height}`] = { load: loadavg()[0], ratio, noise, ratios, ours, three, turns };

    // Half of the rounds are nearer to the median than `noise`: what is within it may as well be equal.
    expect(ratio, "ours takes no more than three.js").toBeLessThanOrEqual(1 + Math.min(noise, MOST_NOISE));
  });
}
