import { type Page, expect } from "@playwright/test";

import { quantile } from "./frames.ts";

/** What the page's statistics said of the way from capture to the screen. */
export interface Figure {
  /** By the page's clock. */
  at: number;
  /** In milliseconds; nothing when it says that it does not know. */
  delay: number | undefined;
}

declare global {
  interface Window {
    statistics: { at: number; text: string }[];
  }
}

/** Opens the statistics, and notes from now on what they say. */
export async function watchStatistics(page: Page): Promise<void> {
  await page.locator("#stats-toggle").click();
  await page.evaluate(() => {
    window.statistics = [];
    const list = document.querySelector("#stats-list");
    const note = (): void => {
      const term = [...(list?.querySelectorAll("dt") ?? [])].find((dt) => dt.textContent === "Capture to screen");
      const text = term?.nextElementSibling?.firstChild?.textContent ?? "";
      window.statistics.push({ at: performance.now(), text });
    };
    if (list) new MutationObserver(note).observe(list, { childList: true });
  });
}

export async function figures(page: Page): Promise<Figure[]> {
  const all = await page.evaluate(() => window.statistics);
  return all.map(({ at, text }) => {
    const [, delay] = /^(\d+) ms$/.exec(text) ?? [];
    if (delay === undefined) expect(text).toMatch(/^(unknown|–)$/);
    return { at, delay: delay === undefined ? undefined : Number(delay) };
  });
}

/** What a figure is of, in milliseconds before it. */
const SPAN = 2000;

/**
 * The figures from one on, and what the stamps say of the same pictures, by a robot's clock that is so many seconds ahead of
 * the page's. Both go by the instant that the browser gives for the screen: nothing in a page knows better.
 */
export async function overlaps(
  page: Page,
  ahead: number,
  from = 0,
): Promise<{ frames: number; differences: number[]; told: number; stamped: number }> {
  const told = (await figures(page)).slice(from).filter(({ delay }) => delay !== undefined);
  const { seen, origin } = await page.evaluate(() => ({ seen: window.recorded.seen, origin: performance.timeOrigin }));
  const delayOf = ({ at, captured }: { at: number; captured: number }): number => {
    // Stamps are modulo 2³².
    const past = (origin + at + ahead * 1000 - captured) % 2 ** 32;
    return past > 2 ** 31 ? past - 2 ** 32 : past < -(2 ** 31) ? past + 2 ** 32 : past;
  };
  const compared = told.map(({ at, delay = Number.NaN }) => {
    const of = seen.filter((frame) => frame.at > at - SPAN && frame.at <= at).map(delayOf);
    return { delay, stamped: quantile(of, 0.5) };
  });
  const [first, last] = [told[0]?.at ?? 0, told.at(-1)?.at ?? 0];
  const covered = seen.filter(({ at }) => at > first - SPAN && at <= last);
  return {
    frames: covered.length,
    differences: compared.map(({ delay, stamped }) => delay - stamped),
    told: quantile(
      told.map(({ delay = Number.NaN }) => delay),
      0.5,
    ),
    stamped: quantile(covered.map(delayOf), 0.5),
  };
}
