import type { Locator, Page } from "@playwright/test";

/** The drawn room's lines are this far apart, in degrees. */
export const SPACING = 15;

/**
 * By how many pixels the crossing of two of the room's lines misses the middle of an element: to the right and down.
 *
 * Not a number where there is no line within reach.
 */
export async function crossing(page: Page, element: Locator, reach: number): Promise<[number, number]> {
  const png = await element.screenshot();
  return page.evaluate(
    async ([base64, within]) => {
      const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
      const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      const side = 2 * within + 1;
      const context = new OffscreenCanvas(side, side).getContext("2d");
      if (context === null) throw new Error("no canvas");
      context.drawImage(image, -Math.floor((image.width - side) / 2), -Math.floor((image.height - side) / 2));
      const { data } = context.getImageData(0, 0, side, side);
      const light = (x: number, y: number): number => data[(y * side + x) * 4 + 1] ?? 0;
      // Beside the other line, whose light would drown this one's.
      const beside = [...Array(side).keys()].filter((at) => Math.abs(at - within) > within / 3);
      const miss = (lightAt: (along: number, other: number) => number): number => {
        const sums = [...Array(side).keys()].map((along) => {
          const lights = beside.map((other) => lightAt(along, other)).toSorted((a, b) => a - b);
          return lights[Math.floor(lights.length / 2)] ?? 0;
        });
        const ground = sums.toSorted((a, b) => a - b)[Math.floor(side / 4)] ?? 0;
        const weights = sums.map((sum) => (sum - ground > 25 ? sum - ground : 0));
        const all = weights.reduce((a, b) => a + b, 0);
        return weights.reduce((sum, weight, at) => sum + weight * (at - within), 0) / all;
      };
      return [miss((x, y) => light(x, y)), miss((y, x) => light(x, y))] as [number, number];
    },
    [png.toString("base64"), reach] as const,
  );
}
