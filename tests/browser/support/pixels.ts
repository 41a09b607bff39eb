import type { Locator, Page } from "@playwright/test";

export type Colour = [red: number, green: number, blue: number];

/** The mean colour of a few pixels around the middle of an element, as it is on the screen. */
export async function middle(page: Page, element: Locator): Promise<Colour> {
  const png = await element.screenshot();
  return page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const size = 9;
    const context = new OffscreenCanvas(size, size).getContext("2d");
    if (context === null) throw new Error("no canvas");
    context.drawImage(image, -Math.floor((image.width - size) / 2), -Math.floor((image.height - size) / 2));
    const { data } = context.getImageData(0, 0, size, size);
    const mean = (channel: number): number => {
      let sum = 0;
      for (let index = channel; index < data.length; index += 4) sum += data[index] ?? 0;
      return Math.round(sum / (size * size));
    };
    return [mean(0), mean(1), mean(2)] as [number, number, number];
  }, png.toString("base64"));
}

/** The colour that a page's equirectangular video has in a direction, in degrees, before anything is drawn of it. */
export async function inPanorama(video: Locator, yaw: number, pitch: number): Promise<Colour> {
  return video.evaluate(
    (element, [across, down]) => {
      const picture = element as HTMLVideoElement;
      const { videoWidth: width, videoHeight: height } = picture;
      const context = new OffscreenCanvas(1, 1).getContext("2d");
      if (context === null) throw new Error("no canvas");
      const [x, y] = [Math.floor(across * (width - 1)), Math.floor(down * (height - 1))];
      context.drawImage(picture, -x, -y);
      const [red = 0, green = 0, blue = 0] = context.getImageData(0, 0, 1, 1).data;
      return [red, green, blue] as [number, number, number];
    },
    [yaw / 360 + 0.5, 0.5 - pitch / 180] as const,
  );
}

export function distance(a: Colour, b: Colour): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}
