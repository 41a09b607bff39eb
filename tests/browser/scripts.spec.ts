/** Nothing that anybody calls anything ever runs, and the page keeps to the policy that it is served with. */
import { type BrowserContext, type Page, expect, test } from "@playwright/test";
import { type Socket, io } from "socket.io-client";

import { ALARM, PAYLOADS } from "./support/payloads.ts";
import { Programs } from "./support/programs.ts";

const GUARDED = `state_dir = "$FILES/state"\n[auth]\nmode = "keys"\n`;

/** More than one robot may call its cameras. */
const CAMERAS_EACH = 25;

const POLICY = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "media-src 'self' blob: mediastream:",
  "connect-src 'self' ws: wss:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
];

/** What no page of ours has, and payloads would make. */
const STRANGE = [
  "script:not([src])",
  "iframe, object, embed, base, marquee, math, template, meta[http-equiv]",
  "[onerror], [onload], [onfocus], [onclick], [onmouseover], [onbegin], [onstart], [ontoggle], [onanimationstart]",
  "[href^='javascript:' i], [src^='javascript:' i], [action^='javascript:' i]",
].join(", ");

/** What went wrong on any page of a context. */
class Watch {
  readonly ran: unknown[] = [];
  readonly violations: string[] = [];

  static async over(context: BrowserContext): Promise<Watch> {
    const watch = new Watch();
    await context.exposeFunction(ALARM, (what: unknown) => void watch.ran.push(what));
    await context.exposeFunction("panocastViolated", (what: string) => void watch.violations.push(what));
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sample }) => {
        const { panocastViolated } = window as unknown as { panocastViolated(this: void, what: string): void };
        panocastViolated(`${violatedDirective} ${blockedURI} ${sample}`);
      });
    });
    context.on("dialog", (dialog) => {
      watch.ran.push(dialog.message());
      void dialog.dismiss();
    });
    context.on("console", (message) => {
      if (message.text().includes("Content Security Policy")) watch.violations.push(message.text());
    });
    return watch;
  }

  /** Also says whether anything was made that only looks harmless for as long as the policy holds. */
  async calm(page: Page): Promise<void> {
    expect(await page.locator(STRANGE).evaluateAll((nodes) => nodes.map((node) => node.outerHTML))).toEqual([]);
    expect(this.ran).toEqual([]);
    expect(this.violations).toEqual([]);
  }
}

// Hundreds of pages: what takes the time is drawing them in software.
test.use({ viewport: { width: 480, height: 270 } });

let programs: Programs;
const robots: Socket[] = [];

test.afterEach(async () => {
  for (const socket of robots.splice(0)) socket.disconnect();
  await programs.stop();
});

/** A robot that says what it likes. */
async function robot(register: object): Promise<Socket> {
  const socket = io(programs.url, { transports: ["websocket"] });
  robots.push(socket);
  const reply: unknown = await socket.timeout(10_000).emitWithAck("broadcaster", { version: 1, ...register });
  expect(reply).toMatchObject({ ok: true });
  return socket;
}

function cameras(titles: readonly string[]): object[] {
  const video = { projection: { kind: "flat" }, rungs: [] };
  return titles.map((title, number) => ({ id: `c${number}`, title, video }));
}

test("pages are served with the policy, and it holds", async ({ page, context }) => {
  programs = await Programs.start();
  const watch = await Watch.over(context);
  for (const [path, frames] of [
    ["/", "'self'"],
    ["/admin", "'self'"],
    ["/watch/demo", "'self'"],
    ["/watch/demo/main", "'self'"],
    ["/embed/demo", "*"],
    ["/embed/demo/main", "*"],
  ]) {
    const response = await page.goto(programs.url + path);
    const headers = response?.headers() ?? {};
    expect(headers["content-security-policy"]?.split("; ")).toEqual([...POLICY, `frame-ancestors ${frames}`]);
    expect(headers["x-content-type-options"]).toBe("nosniff");
    await watch.calm(page);
  }
  // If a script got into the page all the same, it would not run.
  await page.evaluate((call) => {
    const script = document.createElement("script");
    script.textContent = call;
    document.body.append(script);
  }, `${ALARM}(1)`);
  await expect.poll(() => watch.violations.length).toBeGreaterThan(0);
  expect(watch.violations[0]).toContain("script-src");
  expect(watch.ran).toEqual([]);
});

test("pages that show live pictures keep to the policy", async ({ page, context }) => {
  programs = await Programs.start();
  const watch = await Watch.over(context);
  await programs.startRobot();
  for (const path of ["/watch/demo", "/embed/demo"]) {
    await page.goto(programs.url + path);
    await expect(page.locator("body")).toHaveAttribute("data-state", "live");
    await watch.calm(page);
  }
});

test("what robots call their cameras, and what they say, is text", async ({ page, context }) => {
  programs = await Programs.start();
  const watch = await Watch.over(context);
  const half = [PAYLOADS.slice(0, CAMERAS_EACH), PAYLOADS.slice(CAMERAS_EACH)];
  expect(half.flat().length).toBe(50);
  const said = await Promise.all(
    half.map((titles, number) => robot({ robot: `r${number}`, cameras: cameras(titles) })),
  );
  await page.goto(programs.url);
  await expect(page.locator("#robots .chips a")).toHaveText(half.flat());
  await watch.calm(page);
  for (const [number, titles] of half.entries()) {
    const talking = new Promise<string>((resolve) => said[number]?.once("watcher", resolve));
    const heard = page
      .waitForEvent("websocket")
      .then((socket) => socket.waitForEvent("framereceived", ({ payload }) => String(payload).includes("sent_away")));
    await page.goto(`${programs.url}/watch/r${number}`);
    await expect(page.locator("#cameras a:not(.all)")).toHaveText(titles);
    const viewer = await talking;
    for (const message of PAYLOADS) said[number]?.emit("notice", viewer, { code: "connection_failed", message });
    said[number]?.emit("notice", viewer, { code: "sent_away", message: PAYLOADS[number] });
    await heard;
    await watch.calm(page);
  }
});

test("what is in an address, and whatever a server could answer, is text", async ({ page, context }) => {
  test.slow();
  programs = await Programs.start();
  const watch = await Watch.over(context);
  let payload = "";
  // Each string that the page gets is the payload, wherever the protocol leaves it open.
  await page.routeWebSocket(/socket\.io/, (socket) => {
    socket.send(`0${JSON.stringify({ sid: payload, upgrades: [], pingInterval: 10_000, pingTimeout: 10_000 })}`);
    socket.onMessage((message) => {
      const text = String(message);
      if (text.startsWith("40")) return socket.send(`40${JSON.stringify({ sid: payload })}`);
      const asked = /^42(\d+)\["watcher"/.exec(text);
      if (!asked) return;
      const admission = {
        ok: true,
        session: payload,
        robot: payload,
        camera: payload,
        peer: payload,
        resumed: false,
        ice_servers: [{ urls: [payload], username: payload, credential: payload }],
        video: { projection: { kind: "flat" }, rungs: [] },
        media: "p2p",
      };
      socket.send(`43${asked[1]}${JSON.stringify([admission])}`);
      const event = (...args: unknown[]) => socket.send(`42${JSON.stringify(args)}`);
      event(payload, payload);
      event("notice", { code: payload, message: payload });
      event("notice", { code: "connection_failed", message: payload }, { session: payload });
      event("candidate", payload, { candidate: payload, sdpMid: payload }, { session: payload });
      event("offer", payload, { type: "offer", sdp: payload }, { session: payload });
    });
  });
  await page.route("**/api/v1/robots", (route) =>
    route.fulfill({
      json: [
        { robot: payload, cameras: [...cameras([payload]), { ...cameras([payload])[0], id: payload }], viewers: 1 },
      ],
    }),
  );
  for (payload of PAYLOADS) {
    const inQuery = encodeURIComponent(payload);
    await page.goto(
      `${programs.url}/watch/demo/main?yaw=${inQuery}&pitch=${payload.replaceAll("#", "")}&${inQuery}=1#${payload}`,
    );
    await expect(page.locator("#title")).toHaveText(payload);
    await expect(page.locator("#cameras a:not(.all)")).toHaveText([payload, payload]);
    await watch.calm(page);
    await page.goto(`${programs.url}/?list&${inQuery}=${inQuery}#token=${payload}`);
    await expect(page.locator("#robots a").first()).toHaveText(payload);
    await watch.calm(page);
  }
});

test("names that cannot be are refused in words, not in a page", async ({ page, context }) => {
  test.slow();
  programs = await Programs.start();
  const watch = await Watch.over(context);
  for (const payload of PAYLOADS) {
    const name = encodeURIComponent(payload);
    for (const path of [
      `/watch/${name}`,
      `/api/v1/robots/${name}/snapshot.jpg`,
      `/api/v1/operators/links/${name}`,
      `/${name}`,
    ]) {
      const response = await page.goto(programs.url + path);
      const { status, kind } = { status: response?.status(), kind: response?.headers()["content-type"] };
      expect([400, 404, 405], `${path}: ${status}`).toContain(status);
      expect(kind, path).toMatch(/^(text\/plain|application\/json)/);
      expect(response?.headers()["x-content-type-options"], path).toBe("nosniff");
    }
  }
  expect(watch.ran).toEqual([]);
});

test("the operators' page takes all that it is told for text", async ({ page, context }) => {
  test.slow();
  programs = await Programs.start(GUARDED);
  const watch = await Watch.over(context);
  const key = /^ok_\S+$/m.exec(programs.command("operator", "add", "ada"))?.[0] ?? "";
  const headers = { authorization: `Bearer ${key}` };
  const visit = async () => (await context.request.get(`${programs.url}/api/v1/visit`, { headers })).status();
  await expect.poll(visit, { message: "the key is known" }).toBe(200);
  const operators = async (path: string, data: object) => {
    const response = await context.request.post(`${programs.url}/api/v1/operators/${path}`, { headers, data });
    expect(response.status(), await response.text()).toBe(201);
    return response;
  };
  // What operators call links, and robots their cameras, as the server itself passes it on.
  for (const [number, titles] of [PAYLOADS.slice(0, CAMERAS_EACH), PAYLOADS.slice(CAMERAS_EACH)].entries()) {
    const added = (await (await operators("robots", { robot: `r${number}` })).json()) as { key: string };
    await robot({ robot: `r${number}`, key: added.key, cameras: cameras(titles) });
  }
  for (const note of PAYLOADS) await operators("links", { robot: "r0", lasts: 3600, note });
  await page.goto(`${programs.url}/admin`);
  await page.getByLabel("Key", { exact: true }).fill(key);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.locator("#links tbody tr td:nth-child(2)")).toHaveText(PAYLOADS.toReversed());
  await expect(page.locator("#live .cameras figcaption")).toHaveText(PAYLOADS.map((title) => `${title}: no report`));
  await watch.calm(page);

  // And if the server passed on anything at all: each string of each answer is the payload, and so is each refusal.
  let payload = "";
  const spoiled = (value: unknown): unknown => {
    if (typeof value === "string") return payload;
    if (Array.isArray(value)) return value.map(spoiled);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [name, name === "kind" ? inner : spoiled(inner)]),
    );
  };
  await page.route("**/api/v1/**", async (route) => {
    const { url, method } = { url: route.request().url(), method: route.request().method() };
    if (url.includes("snapshot.jpg")) return route.fulfill({ status: 503, body: payload });
    if (url.endsWith("/key")) return route.fulfill({ json: { robot: payload, key: payload } });
    if (method !== "GET") return route.fulfill({ status: 409, json: { code: "malformed", message: payload } });
    const response = await route.fetch();
    return route.fulfill({ response, json: spoiled(await response.json()) });
  });
  for (payload of PAYLOADS) {
    await page.reload();
    await expect(page.locator("#who")).toHaveText(payload);
    await expect(page.locator("#live h3").first()).toHaveText(payload);
    await expect(page.locator("#links tbody td").first()).toHaveText(payload);
    await page.getByRole("button", { name: "Take back" }).first().click();
    await expect(page.locator("#trouble")).toHaveText(payload);
    await page.getByRole("button", { name: "New key" }).first().click();
    await expect(page.locator("#secret-title")).toContainText(payload);
    await watch.calm(page);
  }
});
