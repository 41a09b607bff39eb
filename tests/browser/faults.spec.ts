import { type Browser, type BrowserContext, type Page, chromium, expect, test } from "@playwright/test";

import { WallClock } from "./support/clock.ts";
import { figures, overlaps, watchStatistics } from "./support/delays.ts";
import { frames, quantile, recordFrames } from "./support/frames.ts";
import { type Colour, distance, onScreen } from "./support/pixels.ts";
import { Programs, freePort } from "./support/programs.ts";
import { CLOSE, PATCHES } from "./support/scene.ts";
import { falselyLive, noteWords, says, told } from "./support/told.ts";
import { Wire } from "./support/wire.ts";

// A small window, since drawing in software is what takes the time here.
const viewport = { width: 400, height: 300 };
test.use({ viewport });

/** By then the page says what is wrong, in milliseconds. */
const SOON = 2000;
/** The page looks four times a second. A machine that does much else may be late for one look. */
const ALLOWANCE = 250;

const ROBOT = `
[media]
listen = "127.0.0.1:0"

[[cameras]]
id = "main"
width = 640
height = 320
bitrate = 800000
`;
const SCENE = `${ROBOT}source = "test"\n`;

let programs: Programs;

async function begin(config = ""): Promise<void> {
  programs = await Programs.start(config);
}
test.afterEach(() => programs.stop());

const now = (): number => Date.now();
const body = (page: Page) => page.locator("body");

async function open(page: Page, url: string): Promise<void> {
  await recordFrames(page);
  await noteWords(page);
  await page.goto(url);
}

async function live(page: Page): Promise<void> {
  await expect(body(page)).toHaveAttribute("data-state", "live");
}

async function watch(page: Page, url = programs.url): Promise<void> {
  await open(page, `${url}/watch/demo`);
  await live(page);
  await moves(page);
  await page.evaluate(() => document.body.setAttribute("data-untouched", ""));
}

/** More pictures come. */
async function moves(page: Page, pictures = 20): Promise<void> {
  const { count } = await frames(page);
  await expect.poll(async () => (await frames(page)).count).toBeGreaterThan(count + pictures);
}

/** Nobody has reloaded the page, and it has never called live, nor shown as such, what stood still. */
async function wasHonest(page: Page): Promise<void> {
  await expect(body(page)).toHaveAttribute("data-untouched", "");
  expect(await falselyLive(page)).toBeLessThanOrEqual(SOON + ALLOWANCE);
  for (const { state, bright } of await told(page)) {
    if (state !== "connecting") expect(bright, state).toBe(state === "live");
  }
}

function report(fault: string, said: number, recovery?: number): void {
  const after = recovery === undefined ? "" : `; live again after ${recovery.toFixed(0)} ms`;
  console.log(`${fault}: said after ${said.toFixed(0)} ms${after}`);
  expect(said, fault).toBeLessThanOrEqual(SOON + ALLOWANCE);
}

const NOT_LIVE = /^(?!live$)/;

test("a robot that is killed is said to be offline, and seen again once it is back", async ({ page }) => {
  await begin();
  const robot = await programs.startRobot(SCENE);
  await watch(page);
  const killed = now();
  await robot.kill();
  const said = await says(page, killed, { state: /waiting/, alert: /robot is offline/, badge: /^$/ });
  const started = now();
  programs.launchRobot(SCENE);
  const recovery = await says(page, started, { state: /live/, status: /^Live$/, alert: /^$/, badge: /LIVE/ });
  await moves(page);
  report("robot killed", said, recovery);
  await wasHonest(page);
});

test("a robot that hangs is not called live, and goes on when it does", async ({ page }) => {
  await begin();
  const robot = await programs.startRobot(SCENE);
  await watch(page);
  const hung = now();
  robot.hang();
  const said = await says(page, hung, { state: /stalled/, status: /delayed/, badge: /Delayed/ });
  await says(page, hung, { state: /reconnecting/, status: /Reconnecting/, badge: /^$/ });
  const resumed = now();
  robot.goOn();
  const recovery = await says(page, resumed, { state: /live/ });
  await moves(page);
  report("robot hangs", said, recovery);
  await wasHonest(page);
});

test("a server that is killed and started again stops no picture and lets viewers in", async ({ page, browser }) => {
  await begin();
  await programs.startRobot(SCENE);
  await watch(page);
  const session = await body(page).getAttribute("data-session");
  await page.evaluate(() => {
    window.recorded.longestGap = 0;
  });
  await programs.killServer();
  // Longer than anybody takes a server for being there.
  await moves(page, 150);
  await programs.startServer();
  // The page is back on its link when the server counts it as a viewer again.
  await expect.poll(() => programs.viewers()).toBe(1);
  const { longestGap } = await frames(page);
  await moves(page, 60);
  console.log(`server killed and started again: longest pause of the picture ${longestGap.toFixed(0)} ms`);
  expect(longestGap).toBeLessThan(2000);
  expect(await body(page).getAttribute("data-session")).toBe(session);
  await wasHonest(page);

  // A window of its own, since a tab that is covered is drawn once a second.
  const second = await browser.newPage({ viewport });
  await watch(second);
  await second.close();
});

test("who waits for a robot is told why, also when the server is away", async ({ page }) => {
  await begin();
  await open(page, `${programs.url}/watch/nobody`);
  await expect(page.locator("#problem")).toContainText("no robot of this name");
  await page.goto(`${programs.url}/watch/demo`);
  await says(page, 0, { state: /waiting/, alert: /robot is offline/ });
  const killed = now();
  await programs.killServer();
  // Nobody knows any more whether the robot is.
  const said = await says(page, killed, { state: /connecting/, status: /Connecting/, alert: /^$/ });
  await says(page, killed, { state: /failed/, alert: /server cannot be reached/ });
  await programs.startServer();
  const recovery = await says(page, now(), { state: /waiting/, alert: /robot is offline/ });
  console.log(`server back: known after ${recovery.toFixed(0)} ms`);
  report("server killed", said);
  // The robot's arrival needs no reload.
  await programs.startRobot(SCENE);
  await live(page);
});

test("a viewer's link that is cut costs no picture, and is made again", async ({ page }) => {
  await begin();
  const robot = await programs.startRobot(SCENE);
  const wire = await Wire.to(programs.url);
  try {
    await watch(page, wire.url);
    const session = await body(page).getAttribute("data-session");
    wire.cut();
    await moves(page, 60);
    wire.mend();
    await expect.poll(() => wire.carries, "the link is back").toBe(true);
    await moves(page, 60);
    await live(page);
    expect(await body(page).getAttribute("data-session")).toBe(session);

    // Without the link nobody tells the page why the picture stops, but that it does is seen.
    await expect.poll(() => programs.viewers()).toBe(1);
    wire.cut();
    const killed = now();
    await robot.kill();
    const said = await says(page, killed, { state: NOT_LIVE, badge: /^(?!LIVE)/ });
    await says(page, killed, { state: /failed/, alert: /server cannot be reached/ });
    const mended = now();
    wire.mend();
    await says(page, mended, { state: /waiting/, alert: /robot is offline/ });
    await programs.startRobot(SCENE);
    const recovery = await says(page, mended, { state: /live/ });
    report("link cut, robot killed", said, recovery);
    await wasHonest(page);
  } finally {
    await wire.remove();
  }
});

/** Gives pictures for three seconds, and then nothing at all. */
const FALLS_SILENT =
  "videotestsrc is-live=true num-buffers=90 ! video/x-raw,width=640,height=320,framerate=30/1 ! concat name=all " +
  "videotestsrc is-live=true ! video/x-raw,width=640,height=320 ! valve drop=true ! all. all. ! identity";

test("a camera that falls silent is waited for, and seen again in the same session", async ({ page }) => {
  await begin();
  await programs.startRobot(`${ROBOT}source = "pipeline"\npipeline = "${FALLS_SILENT}"\n`);
  await open(page, `${programs.url}/watch/demo`);
  await live(page);
  await page.evaluate(() => document.body.setAttribute("data-untouched", ""));
  const session = await body(page).getAttribute("data-session");
  let from = now();
  for (let time = 0; time < 2; time++) {
    // The camera's last picture is the fault's beginning.
    const stalled = from + (await says(page, from, { state: /stalled/, status: /delayed/, badge: /Delayed/ }));
    const lost = from + (await says(page, stalled, { state: /waiting/, alert: /lost its camera/, badge: /^$/ }));
    const silent = await page.evaluate((at) => window.gaps.findLast((gap) => gap.from < at)?.from ?? 0, stalled);
    const back = await says(page, lost, { state: /live/, alert: /^$/ });
    report("camera silent", stalled - silent, back);
    from = lost + back;
  }
  expect(await body(page).getAttribute("data-session")).toBe(session);
  await wasHonest(page);
});

type Patch = (typeof PATCHES)[number];

test("a WebGL context that is lost leaves the flat picture, and draws on when it is back", async ({ page }) => {
  await begin();
  await programs.startRobot(SCENE);
  await open(page, `${programs.url}/watch/demo?yaw=180`);
  await live(page);
  await page.evaluate(() => document.body.setAttribute("data-untouched", ""));
  const [[, , , front], , [, , , back]] = PATCHES as [Patch, Patch, Patch];
  const stage = page.locator("#stage");
  const shows = async (colour: Colour): Promise<void> => {
    const off = async (): Promise<number> => {
      const [middle] = await onScreen(page, stage, [[0.5, 0.5]]);
      return distance(middle ?? [0, 0, 0], colour);
    };
    await expect.poll(off, { intervals: [50] }).toBeLessThan(CLOSE);
  };
  await shows(back);
  for (let time = 0; time < 2; time++) {
    const hidden = await page.evaluate(async () => {
      const canvas = document.querySelector("canvas");
      const context = canvas?.getContext("webgl2")?.getExtension("WEBGL_lose_context");
      if (!canvas || !context) throw new Error("nothing to lose");
      Object.assign(window, { context });
      const began = performance.now();
      context.loseContext();
      while (getComputedStyle(canvas).visibility !== "hidden") {
        await new Promise((resolve) => requestAnimationFrame(resolve));
      }
      return performance.now() - began;
    });
    // Straight ahead is in the middle of the whole picture.
    await shows(front);
    await moves(page);
    await live(page);
    const restored = now();
    await page.evaluate(() => (window as unknown as { context: WEBGL_lose_context }).context.restoreContext());
    await shows(back);
    report("WebGL context lost", hidden, now() - restored);
  }
  await moves(page);
  await wasHonest(page);
});

/** A Chromium of its own, with what the tests' common one is spared, and another environment. */
async function launch(args: string[], environment: Record<string, string> = {}): Promise<Browser> {
  const { args: common = [], ...options } = test.info().project.use.launchOptions ?? {};
  return chromium.launch({
    executablePath: "chromium",
    ...options,
    args: [...common, ...args],
    env: { ...process.env, ...environment },
    // What is not looked at is to be treated as by anybody's browser.
    ignoreDefaultArgs: [
      "--disable-background-timer-throttling",
      "--disable-backgrounding-occluded-windows",
      "--disable-renderer-backgrounding",
    ],
  });
}

/** Its tabs are told that they are hidden when another is in front, which Playwright's own never are. */
async function withTabs(browser: Browser, port: number): Promise<BrowserContext> {
  const own = await chromium.connectOverCDP(`http://127.0.0.1:${port}`, { noDefaults: true });
  const [context] = own.contexts();
  expect(browser.isConnected() && context !== undefined).toBe(true);
  return context ?? own.newContext();
}

/** Watches in a tab that somebody then covers with another one. */
async function hiddenFromView(meanwhile: (page: Page) => Promise<void>): Promise<void> {
  const port = await freePort();
  const browser = await launch([`--remote-debugging-port=${port}`, "--window-size=500,400"]);
  try {
    const context = await withTabs(browser, port);
    const page = await context.newPage();
    await watch(page);
    const other = await context.newPage();
    await other.bringToFront();
    await expect.poll(() => page.evaluate(() => document.visibilityState)).toBe("hidden");
    await meanwhile(page);
  } finally {
    await browser.close();
  }
}

const HIDDEN_FOR = 60_000;

test("a tab that was hidden for a minute shows at once what is live now", async () => {
  test.setTimeout(HIDDEN_FOR + 120_000);
  await begin();
  await programs.startRobot(SCENE);
  await hiddenFromView(async (page) => {
    const [hiddenAt, { count }] = [now(), await frames(page)];
    const hidden = { timeout: HIDDEN_FOR + 30_000, intervals: [1000] };
    // Nothing is sent to where nobody looks, and what is left of it is not called live.
    await expect.poll(() => programs.viewers(), hidden).toBe(0);
    await expect(body(page)).toHaveAttribute("data-state", "connecting");
    await expect.poll(() => now() - hiddenAt, hidden).toBeGreaterThan(HIDDEN_FOR);
    expect((await frames(page)).count - count).toBeLessThan(5);
    const said = (await told(page)).filter(({ at }) => at > hiddenAt).map(({ state }) => state);
    expect(said.filter((state) => !["live", "connecting"].includes(state ?? ""))).toEqual([]);

    await page.bringToFront();
    const shownAt = now();
    const fresh = async (): Promise<number> => ((await frames(page)).stamp ?? 0) - (shownAt % 2 ** 32);
    await expect.poll(fresh, { intervals: [20] }).toBeGreaterThan(0);
    console.log(`tab hidden for ${HIDDEN_FOR / 1000} s: a picture of now after ${now() - shownAt} ms`);
    expect(now() - shownAt).toBeLessThanOrEqual(SOON + ALLOWANCE);
    await moves(page);
    await live(page);
    await expect(body(page)).toHaveAttribute("data-untouched", "");
    await expect.poll(() => programs.viewers()).toBe(1);
  });
});

test("a robot that goes while the tab is hidden is not called live in it", async () => {
  await begin();
  const robot = await programs.startRobot(SCENE);
  await hiddenFromView(async (page) => {
    await robot.kill();
    await says(page, now(), { state: /waiting/, alert: /robot is offline/ });
    await programs.startRobot(SCENE);
    await page.bringToFront();
    const shownAt = now();
    const recovery = await says(page, shownAt, { state: /live/ });
    console.log(`robot back while hidden: live ${recovery.toFixed(0)} ms after the tab is looked at`);
    await moves(page);
  });
});

test("a viewer's wall clock that is set changes nothing", async () => {
  await begin();
  const clock = new WallClock();
  const browser = await launch([], clock.environment);
  try {
    await programs.startRobot(SCENE);
    const page = await browser.newPage({ viewport });
    await watch(page);
    await watchStatistics(page);
    const session = await body(page).getAttribute("data-session");
    const known = async (): Promise<number> => (await figures(page)).filter(({ delay }) => delay !== undefined).length;
    await expect.poll(known).toBeGreaterThan(1);
    const before = (await figures(page)).length;
    const since = (await told(page)).length;
    for (const ahead of [3600, -3600]) {
      clock.set(ahead);
      const wrongBy = await page.evaluate(() => Date.now() - (performance.timeOrigin + performance.now()));
      expect(Math.abs(wrongBy - ahead * 1000)).toBeLessThan(100);
      const soFar = await known();
      await expect.poll(known).toBeGreaterThan(soFar + 4);
    }
    const all = (await figures(page)).slice(before);
    console.log(`viewer's clock set: ${all.map(({ delay }) => delay ?? "unknown").join(", ")} ms`);
    expect(all.filter(({ delay }) => delay === undefined)).toEqual([]);
    const { differences } = await overlaps(page, 0, before);
    expect(quantile(differences.map(Math.abs), 0.5)).toBeLessThanOrEqual(10);
    expect((await told(page)).slice(since).filter(({ state }) => state !== "live")).toEqual([]);
    expect(await body(page).getAttribute("data-session")).toBe(session);
  } finally {
    await browser.close();
    clock.remove();
  }
});

const GUARDED = `state_dir = "$FILES/state"\n[auth]\nmode = "keys"\n`;
const LASTS = 12;

test("a link that expires ends the picture with the reason", async ({ page }) => {
  await begin(GUARDED);
  const key = /^key = .*$/m.exec(programs.command("robot", "add", "demo"))?.[0];
  programs.launchRobot(`${key}\n${SCENE}`);
  const link = (lasts: string): string => {
    const fragment = /#token=\S+/.exec(programs.command("link", "new", "--robot", "demo", "--for", lasts))?.[0];
    return `${programs.url}/watch/demo${fragment}`;
  };
  // Once somebody has watched, the robot is known to be there, and joining is quick.
  await open(page, link("1h"));
  await live(page);
  const url = link(`${LASTS}s`);
  const until = now() + LASTS * 1000;
  await page.goto("about:blank");
  await page.goto(url);
  await live(page);
  const expired = { state: /refused/, status: /Not connected/, alert: /link has expired. Ask for a new one/ };
  // Whole seconds are what a link counts.
  const said = (await says(page, until - 1000, { ...expired, badge: /^$/ })) - 1000;
  const { count } = await frames(page);
  report(`link of ${LASTS} s expired`, said);
  await expect(page.locator("#retry")).toBeVisible();
  await page.locator("#retry").click();
  await says(page, now(), expired);
  // What was decoded already may still have been shown.
  expect((await frames(page)).count - count).toBeLessThan(3);
  // A new one helps.
  await page.goto("about:blank");
  await page.goto(link("1h"));
  await live(page);
});
