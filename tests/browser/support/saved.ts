import { readFileSync } from "node:fs";

import type { Page } from "@playwright/test";

import type { Colour } from "./pixels.ts";

/** Whether a JPEG says that it shows all around, its size, and its colour at shares of its width and height. */
export async function inSaved(
  page: Page,
  path: string,
  x: number,
  y: number,
): Promise<[isRound: boolean, width: number, height: number, Colour]> {
  const file = readFileSync(path);
  return page.evaluate(
    async ([base64, across, down]) => {
      const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
      const image = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
      const context = new OffscreenCanvas(1, 1).getContext("2d");
      if (context === null) throw new Error("no canvas");
      context.drawImage(image, -Math.round(across * image.width), -Math.round(down * image.height));
      const [r = 0, g = 0, b = 0] = context.getImageData(0, 0, 1, 1).data;
      const round = atob(base64).includes('GPano:ProjectionType="equirectangular"');
      return [round, image.width, image.height, [r, g, b]] as [boolean, number, number, [number, number, number]];
    },
    [file.toString("base64"), x, y] as const,
  );
}
