import { readFileSync } from "node:fs";

import { type BrowserContext, type Page, expect } from "@playwright/test";
import { type Socket, io } from "socket.io-client";

import { type Colour, distance, middle } from "./pixels.ts";

/** Pages of the browser broadcast family, as if the server under test served them. */
export class Family {
  readonly #context: BrowserContext;
  readonly #url: string;
  /** What went wrong in any of the pages, which nobody there catches. */
  readonly errors: string[] = [];

  private constructor(context: BrowserContext, url: string) {
    this.#context = context;
    this.#url = url;
  }

  static async in(context: BrowserContext, url: string): Promise<Family> {
    await context.route(`${url}/family/*`, async (route) => {
      const name = new URL(route.request().url()).pathname.split("/").at(-1) ?? "";
      const body = readFileSync(new URL(`../family/${name}`, import.meta.url), "utf8");
      await route.fulfill({ contentType: "text/html", body });
    });
    return new Family(context, url);
  }

  async open(page: "broadcaster.html" | `watcher.html${string}`): Promise<Page> {
    const opened = await this.#context.newPage();
    opened.on("pageerror", (error) => this.errors.push(`${page}: ${error.message}`));
    await opened.goto(`${this.#url}/family/${page}`);
    return opened;
  }
}

/** Waits until a page's video moves. */
export async function expectMoving(page: Page): Promise<void> {
  const frames = (): Promise<number> =>
    page.evaluate(() => document.querySelector("video")?.getVideoPlaybackQuality().totalVideoFrames ?? 0);
  const before = await frames();
  await expect.poll(frames).toBeGreaterThan(before + 20);
}

/** Waits until the middle of a page's video has a colour. */
export async function expectColour(page: Page, colour: Colour): Promise<void> {
  await expect.poll(async () => distance(await middle(page, page.locator("video")), colour)).toBeLessThan(60);
}

/** A bare client of the same family, for what no page would say. */
export async function rawClient(url: string): Promise<Socket> {
  const socket = io(url, { forceNew: true });
  if (!socket.connected) await new Promise<void>((resolve) => socket.once("connect", resolve));
  return socket;
}

/** The arguments of the next event of that name. */
export function nextEvent(socket: Socket, name: string): Promise<unknown[]> {
  return new Promise((resolve) => socket.once(name, (...args: unknown[]) => resolve(args)));
}
