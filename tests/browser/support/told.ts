import { type Page, expect } from "@playwright/test";

/** What the page said from a moment on, in words that somebody reads or hears. */
export interface Told {
  /** Unix time in milliseconds. */
  at: number;
  /** As `data-state` has it. */
  state: string;
  status: string;
  alert: string;
  badge: string;
  /** Whether the picture looks as ever: what is not live is dimmed. */
  bright: boolean;
}

/** A time without a new frame. */
interface Gap {
  from: number;
  to: number;
}

declare global {
  interface Window {
    words: Told[];
    /** Those that last too long to be overlooked. The last one may go on. */
    gaps: Gap[];
  }
}

/** Notes all that the page says, and when its picture stands still. Call before the page is opened. */
export async function noteWords(page: Page): Promise<void> {
  await page.addInitScript(note);
}

export async function told(page: Page): Promise<Told[]> {
  return page.evaluate(() => window.words);
}

/** What fits is waited for. Returns how many milliseconds after `since`, in Unix time, the page began to say so. */
export async function says(page: Page, since: number, fits: Partial<Record<keyof Told, RegExp>>): Promise<number> {
  let at = Number.NaN;
  const first = async (): Promise<boolean> => {
    const all = await told(page);
    // What it said already, it said from the beginning.
    const from = all.findLastIndex((words) => words.at <= since);
    const found = all.slice(Math.max(0, from)).find((words) => matches(words, fits));
    at = found?.at ?? Number.NaN;
    return found !== undefined;
  };
  await expect.poll(first, { message: `it says ${Object.values(fits).join(", ")}`, intervals: [100] }).toBe(true);
  return Math.max(0, at - since);
}

function matches(words: Told, fits: Partial<Record<keyof Told, RegExp>>): boolean {
  return Object.entries(fits).every(([key, pattern]) => pattern.test(String(words[key as keyof Told])));
}

/** How long, at most, the page called a picture live that stood still, in milliseconds. Not for a page that was hidden. */
export async function falselyLive(page: Page): Promise<number> {
  const [words, gaps] = await page.evaluate(() => {
    const now = performance.timeOrigin + performance.now();
    return [window.words, window.gaps.map(({ from, to }) => ({ from, to: to || now }))] as const;
  });
  const lasting = words.map(({ at, state }, index) => ({ from: at, to: words[index + 1]?.at ?? Infinity, state }));
  const live = lasting.filter(({ state }) => state === "live");
  const falsely = gaps.flatMap((gap) => live.map(({ from, to }) => Math.min(to, gap.to) - Math.max(from, gap.from)));
  return Math.max(0, ...falsely);
}

/** Runs inside the page: everything that it needs stands in it. */
function note(): void {
  const LONG = 1000;
  window.words = [];
  window.gaps = [];
  const { timeOrigin } = performance;
  const now = (): number => timeOrigin + performance.now();
  let last = "";
  const look = (): void => {
    const stage = document.querySelector("#stage");
    if (!stage) return;
    const [status = "", alert = "", badge = ""] = ["#state", "#problem", "#badge"].map((place) => {
      const element = document.querySelector<HTMLElement>(place);
      return element && !element.hidden ? (element.textContent ?? "") : "";
    });
    const bright = getComputedStyle(stage).filter === "none";
    const said = { state: document.body.dataset["state"] ?? "", status, alert, badge, bright };
    const known = JSON.stringify(said);
    if (known !== last) window.words.push({ at: now(), ...said });
    last = known;
  };
  let shown: number | undefined;
  const onFrame = (video: HTMLVideoElement): void => {
    video.requestVideoFrameCallback(() => onFrame(video));
    const open = window.gaps.at(-1);
    if (open && open.to === 0) open.to = now();
    shown = now();
  };
  setInterval(() => {
    if (shown === undefined || now() - shown < LONG || window.gaps.at(-1)?.to === 0) return;
    window.gaps.push({ from: shown, to: 0 });
  }, 50);
  document.addEventListener("DOMContentLoaded", () => {
    look();
    const everything = { subtree: true, childList: true, characterData: true, attributes: true };
    for (const place of [document.body, ...document.querySelectorAll("#state, #problem, #badge")]) {
      const own = place === document.body ? { attributeFilter: ["data-state"] } : everything;
      new MutationObserver(look).observe(place, own);
    }
    for (const video of document.querySelectorAll("video")) {
      video.requestVideoFrameCallback(() => onFrame(video));
    }
  });
}
