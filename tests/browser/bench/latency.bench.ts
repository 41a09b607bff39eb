import { mkdirSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { fileURLToPath } from "node:url";

import { type Page, expect, test } from "@playwright/test";

import { Family } from "../support/family.ts";
import { quantile } from "../support/frames.ts";
import { Programs } from "../support/programs.ts";
import { type Shown, type Timeline, follow } from "./timeline.ts";

const ROBOT = `
[media]
listen = "127.0.0.1:0"

[[cameras]]
id = "main"
source = "test"
width = 1280
height = 720
fps = 30
bitrate = 2500000
`;

const JOINS = 20;
const REST = 1500;
const ROUNDS = 3;
const PICTURES = 240;

const results = fileURLToPath(new URL("../../../target/bench", import.meta.url));
const figures: Record<string, unknown> = {};

let programs: Programs;

test.beforeAll(async () => {
  programs = await Programs.start();
  await programs.startRobot(ROBOT);
});
test.afterAll(async () => {
  await programs.stop();
  mkdirSync(results, { recursive: true });
  writeFileSync(`${results}/browser.json`, `${JSON.stringify(figures, null, 2)}\n`);
});

interface Spread {
  p50: number;
  p95: number;
  count: number;
}

const tenths = (value: number): number => Math.round(value * 10) / 10;

function spread(values: number[]): Spread {
  return { p50: tenths(quantile(values, 0.5)), p95: tenths(quantile(values, 0.95)), count: values.length };
}

function tell(what: string, { p50, p95, count }: Spread): void {
  console.log(
    `${what.padEnd(48)} ${p50.toFixed(1).padStart(7)} ms p50 ${p95.toFixed(1).padStart(7)} ms p95 (${count})`,
  );
}

test("joins", async ({ page }) => {
  await follow(page);
  const joins: Timeline[] = [];
  // The first one warms up browser, server and robot.
  for (let join = 0; join <= JOINS; join++) {
    await page.goto(`${programs.url}/?list`);
    // The page before may have left work for the software that stands in for a GPU.
    await page.waitForTimeout(REST);
    await page.getByRole("link", { name: /demo/ }).first().click();
    await page.waitForURL(/\/watch\/demo/);
    await page.waitForFunction(() => window.timeline.counted !== undefined && window.timeline.presented !== undefined);
    if (join > 0) joins.push(await page.evaluate(() => window.timeline));
  }
  const asking = ["loaded", "linking", "linked", "asked"] as const;
  const steps = ["offered", "answered", "connected", "decoded", "counted", "presented"] as const;
  const since = (from: number | "asked", step: keyof Timeline): Spread =>
    spread(joins.map((join) => (join[step] ?? Number.NaN) - (from === "asked" ? (join.asked ?? Number.NaN) : from)));
  figures["join"] = {
    load: loadavg()[0],
    sinceClick: Object.fromEntries([...asking, ...steps].map((step) => [step, since(0, step)])),
    sinceAsked: Object.fromEntries(steps.map((step) => [step, since("asked", step)])),
  };
  console.log(`joins of an idle robot, 1280×720 at 30 fps, load ${loadavg()[0]?.toFixed(1)}`);
  for (const step of [...asking, ...steps]) tell(`click on the link → ${step}`, since(0, step));
  for (const step of steps) tell(`asking the server → ${step}`, since("asked", step));
});

/** What a page has shown, and how long its receiver kept it. */
async function watch(page: Page, url: string): Promise<{ shown: Shown[]; buffered: number }> {
  await page.goto(url);
  await page.waitForFunction(() => window.shown.length > 60);
  await page.evaluate(() => {
    window.shown = [];
  });
  await page.waitForFunction((pictures) => window.shown.length >= pictures, PICTURES);
  return page.evaluate(async () => {
    const reports = [...((await window.peer?.getStats())?.values() ?? [])];
    const video = reports.find((report) => report.type === "inbound-rtp");
    return { shown: window.shown, buffered: (1000 * video.jitterBufferDelay) / video.jitterBufferEmittedCount };
  });
}

test("delay", async ({ page, context }) => {
  await Family.in(context, programs.url);
  await follow(page);
  const pages = { "the page": "/watch/demo", "a bare <video>": "/family/watcher.html" };
  const seen: Record<string, { shown: Shown[]; buffered: number[] }> = {};
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, path] of Object.entries(pages)) {
      const { shown, buffered } = await watch(page, programs.url + path);
      const all = (seen[name] ??= { shown: [], buffered: [] });
      all.shown.push(...shown);
      all.buffered.push(buffered);
    }
  }
  console.log(`one viewer, 1280×720 at 30 fps, ${ROUNDS} turns each, load ${loadavg()[0]?.toFixed(1)}`);
  const delay: Record<string, unknown> = { load: loadavg()[0] };
  for (const [name, { shown, buffered }] of Object.entries(seen)) {
    const stamped = shown.filter((picture): picture is Shown & { stamp: number } => picture.stamp !== null);
    expect(stamped.length).toBeGreaterThan(PICTURES / 5);
    const received = spread(stamped.flatMap(({ stamp, received: at }) => (at === null ? [] : [at - stamp])));
    const presented = spread(stamped.map(({ stamp, presented: at }) => at - stamp));
    const called = spread(stamped.map(({ stamp, called: at }) => at - stamp));
    tell(`${name}: stamp → received`, received);
    tell(`${name}: stamp → handed to the compositor`, presented);
    tell(`${name}: stamp → the page's turn to draw`, called);
    tell(`${name}: in the jitter buffer`, spread(buffered));
    const span = (shown.at(-1)?.called ?? 0) - (shown[0]?.called ?? 0);
    delay[name] = { received, presented, called, buffered: spread(buffered), span };
  }
  figures["delay"] = delay;
});
