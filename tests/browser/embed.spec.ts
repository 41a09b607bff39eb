import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { expect, test } from "@playwright/test";

import { Programs } from "./support/programs.ts";

test.use({ viewport: { width: 800, height: 600 } });

let programs: Programs;
/** Somebody else's page, from somewhere else. */
let other: Server;

const ROBOT = `
[media]
listen = "127.0.0.1:0"

[[cameras]]
id = "main"
source = "test"
width = 640
height = 320
fps = 10
bitrate = 1000000
`;

test.beforeAll(async () => {
  programs = await Programs.start();
  await programs.startRobot(ROBOT);
  other = createServer((request, response) => {
    response.setHeader("content-type", "text/html");
    if (request.url === "/isolated") {
      response.setHeader("cross-origin-opener-policy", "same-origin");
      response.setHeader("cross-origin-embedder-policy", "require-corp");
    }
    response.end(`<!doctype html><title>A page of others</title>
      <script src="${programs.url}/embed.js"></script>
      <h1>Our robot</h1>
      <panocast-view robot="demo" yaw="90" fov="60"></panocast-view>
      <a href="#end">The end</a>
      <p style="height: 2000px">A long text</p>`);
  });
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
});
test.afterAll(async () => {
  other.close();
  await programs.stop();
});

interface View extends HTMLElement {
  state: string;
  look: { yaw?: number; pitch?: number; fov?: number; eye?: string };
  lookAt(look: object): void;
  unmute(): void;
}

declare global {
  interface Window {
    /** What the frame has told. */
    told: unknown[];
  }
}

test("a page of others shows the picture, turns it, and hears of it", async ({ page }) => {
  const { port } = other.address() as AddressInfo;
  await page.goto(`http://127.0.0.1:${port}/`);
  const view = page.locator("panocast-view");
  const state = (): Promise<string> => view.evaluate((element) => (element as View).state);
  const look = (): Promise<View["look"]> => view.evaluate((element) => (element as View).look);
  await expect.poll(state).toBe("live");
  await expect.poll(look).toEqual({ yaw: 90, pitch: 0, fov: 60, eye: "window" });
  const inside = page.frameLocator("iframe");
  await expect(inside.locator("#panorama")).toHaveAttribute("data-yaw", "90");
  await view.evaluate((element) => (element as View).lookAt({ yaw: -45, pitch: 10 }));
  await expect.poll(look).toEqual({ yaw: -45, pitch: 10, fov: 60, eye: "window" });
  await view.evaluate((element) => element.setAttribute("fov", "30"));
  await expect(inside.locator("#panorama")).toHaveAttribute("data-fov", "30");
  // Whoever drags inside is heard of outside.
  const heard = view.evaluate(
    (element) => new Promise((resolve) => element.addEventListener("look", resolve, { once: true })),
  );
  await inside.locator("#panorama").dragTo(inside.locator("#panorama"), {
    sourcePosition: { x: 300, y: 200 },
    targetPosition: { x: 200, y: 200 },
  });
  await heard;
  // That may have been the field of view from before.
  await expect.poll(async () => (await look()).yaw).not.toBe(-45);
});

test("a page that is isolated from all others shows it, too", async ({ page }) => {
  const { port } = other.address() as AddressInfo;
  await page.goto(`http://127.0.0.1:${port}/isolated`);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  await expect.poll(() => page.locator("panocast-view").evaluate((element) => (element as View).state)).toBe("live");
});

test("it takes neither the wheel nor Tab from the page around it", async ({ page }) => {
  const { port } = other.address() as AddressInfo;
  await page.goto(`http://127.0.0.1:${port}/`);
  const view = page.locator("panocast-view");
  await expect.poll(() => view.evaluate((element) => (element as View).state)).toBe("live");
  const inside = page.frameLocator("iframe").locator("#panorama");
  await inside.hover();
  await page.mouse.wheel(0, 300);
  await expect.poll(() => page.evaluate(() => scrollY)).toBeGreaterThan(100);
  await expect(inside).toHaveAttribute("data-fov", "60");
  // Once it had the focus, and has it no more, the wheel is the page's again.
  await inside.click();
  await page.mouse.wheel(0, -40);
  await expect(inside).not.toHaveAttribute("data-fov", "60");
  const fov = (await inside.getAttribute("data-fov")) ?? "";
  await page.getByRole("link", { name: "The end" }).focus();
  await inside.hover();
  const scrolled = await page.evaluate(() => scrollY);
  await page.mouse.wheel(0, 100);
  await expect.poll(() => page.evaluate(() => scrollY)).toBeGreaterThan(scrolled + 50);
  await expect(inside).toHaveAttribute("data-fov", fov);
  await inside.focus();
  const left = (): Promise<boolean> => page.evaluate(() => document.activeElement?.textContent === "The end");
  await expect
    .poll(async () => {
      await page.keyboard.press("Tab");
      return left();
    })
    .toBe(true);
});

test("what it tells of itself is no secret, and what it is told cannot break it", async ({ page }) => {
  const { port } = other.address() as AddressInfo;
  await page.goto(`http://127.0.0.1:${port}/`);
  const view = page.locator("panocast-view");
  await expect.poll(() => view.evaluate((element) => (element as View).state)).toBe("live");
  await view.evaluate((element) => {
    window.told = [];
    for (const event of ["look", "state"]) {
      element.addEventListener(event, (told) => window.told.push([event, (told as CustomEvent<unknown>).detail]));
    }
    const frame = element.shadowRoot?.querySelector("iframe")?.contentWindow;
    for (const nonsense of [null, 7, "look", {}, { panocast: "look", yaw: "x" }, { panocast: "token" }]) {
      frame?.postMessage(nonsense, "*");
    }
    (element as View).lookAt({ yaw: 12 });
    // Somebody else's frame says what it likes.
    dispatchEvent(
      new MessageEvent("message", {
        source: frame ?? null,
        origin: "https://elsewhere.example",
        data: { panocast: "state", state: "refused", text: "" },
      }),
    );
  });
  const told = (): Promise<unknown[]> => page.evaluate(() => window.told);
  await expect.poll(told).toEqual([["look", { yaw: 12, pitch: 0, fov: 60, eye: "window" }]]);
  expect(await view.evaluate((element) => (element as View).state)).toBe("live");
});

test("what a page says before the picture is there is done once it is", async ({ page }) => {
  const { port } = other.address() as AddressInfo;
  await page.goto(`http://127.0.0.1:${port}/`, { waitUntil: "commit" });
  const view = page.locator("panocast-view");
  await view.evaluate((element) => {
    // Begins anew, and is told at once where to look.
    element.setAttribute("camera", "main");
    (element as View).lookAt({ yaw: -30 });
    element.removeAttribute("fov");
  });
  const look = (): Promise<View["look"]> => view.evaluate((element) => (element as View).look);
  await expect.poll(look).toEqual({ yaw: -30, pitch: 0, fov: 60, eye: "window" });
});
