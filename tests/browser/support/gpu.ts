import type { Page } from "@playwright/test";

/** What a page has made of one kind of thing in its WebGL contexts, and how many of them it has not given back. */
export interface Made {
  made: number;
  kept: number;
}

declare global {
  interface Window {
    /** By kind, as in `createTexture`. */
    gpu: Record<string, Made>;
  }
}

/** Counts what a page holds of the GPU. Call before the page is opened. */
export async function watchGpu(page: Page): Promise<void> {
  await page.addInitScript(count);
}

export async function gpu(page: Page): Promise<Record<string, Made>> {
  return page.evaluate(() => window.gpu);
}

/** Runs inside the page: everything that it needs stands in it. */
function count(): void {
  window.gpu = {};
  const context = WebGL2RenderingContext.prototype as unknown as Record<string, unknown>;
  for (const name of Object.getOwnPropertyNames(context)) {
    const [, verb, kind] = /^(create|delete)(\w+)$/.exec(name) ?? [];
    const own = kind === undefined ? undefined : context[name];
    if (kind === undefined || typeof own !== "function") continue;
    // Who is deleted twice is gone once.
    const gone = new WeakSet();
    context[name] = function counted(this: WebGL2RenderingContext, ...given: unknown[]): unknown {
      const things = (window.gpu[kind] ??= { made: 0, kept: 0 });
      if (verb === "create") {
        things.made += 1;
        things.kept += 1;
      } else if (given[0] instanceof Object && !gone.has(given[0])) {
        gone.add(given[0]);
        things.kept -= 1;
      }
      return own.apply(this, given);
    };
  }
}
