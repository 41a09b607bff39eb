import type { Locator, Page } from "@playwright/test";

export type Colour = [red: number, green: number, blue: number];

/** Buttons and words lie over the picture. The page's policy takes no style sheet of others, but this. */
async function bare(page: Page): Promise<void> {
  await page.evaluate(() => {
    const over = "header, #message, #notice, #start, #stats, #controls, #recording";
    for (const element of document.querySelectorAll<HTMLElement>(over)) element.style.visibility = "hidden";
  });
}

/** The mean colour of a few pixels around the middle of an element, as it is on the screen. */
export async function middle(page: Page, element: Locator): Promise<Colour> {
  return middleOf(page, await element.screenshot());
}

/** The same of a picture that was taken already. */
export async function middleOf(page: Page, png: Buffer): Promise<Colour> {
  const [colour = [0, 0, 0]] = await coloursAt(page, png, [[0.5, 0.5]]);
  return colour;
}

/** The same around other places of it, as shares of its width and height from its left upper corner. */
export async function onScreen(page: Page, element: Locator, places: [x: number, y: number][]): Promise<Colour[]> {
  await bare(page);
  return coloursAt(page, await element.screenshot(), places);
}

async function coloursAt(page: Page, png: Buffer, places: [x: number, y: number][]): Promise<Colour[]> {
  return page.evaluate(
    async ({ base64, around }) => {
      const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
      const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      const size = 9;
      const context = new OffscreenCanvas(size, size).getContext("2d", { willReadFrequently: true });
      if (context === null) throw new Error("no canvas");
      return around.map(([x, y]): Colour => {
        context.drawImage(image, -Math.floor(image.width * x - size / 2), -Math.floor(image.height * y - size / 2));
        const { data } = context.getImageData(0, 0, size, size);
        const mean = (channel: number): number => {
          let sum = 0;
          for (let index = channel; index < data.length; index += 4) sum += data[index] ?? 0;
          return Math.round(sum / (size * size));
        };
        return [mean(0), mean(1), mean(2)];
      });
    },
    { base64: png.toString("base64"), around: places },
  );
}

/** The colour that a page's equirectangular video has in a direction, in degrees, before anything is drawn of it. */
export async function inPanorama(video: Locator, yaw: number, pitch: number): Promise<Colour> {
  const [colour = [0, 0, 0]] = await inPicture(video, [[yaw / 360 + 0.5, 0.5 - pitch / 180]]);
  return colour;
}

/** The colours that a page's video has in places, as shares of its width and height, before anything is drawn of it. */
export async function inPicture(video: Locator, places: [x: number, y: number][]): Promise<Colour[]> {
  return video.evaluate((element, at) => {
    const picture = element as HTMLVideoElement;
    const { videoWidth: width, videoHeight: height } = picture;
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    if (context === null) throw new Error("no canvas");
    context.drawImage(picture, 0, 0);
    return at.map(([across, down]): [number, number, number] => {
      const [x, y] = [Math.floor(across * (width - 1)), Math.floor(down * (height - 1))];
      const [red = 0, green = 0, blue = 0] = context.getImageData(x, y, 1, 1).data;
      return [red, green, blue];
    });
  }, places);
}

export function distance(a: Colour, b: Colour): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}
