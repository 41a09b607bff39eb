/** Pictures that stand still, as files. */

const AS_JPEG = ["image/jpeg", 0.92] as const;

export async function jpegOf(canvas: HTMLCanvasElement): Promise<Blob | undefined> {
  return new Promise((resolve) => canvas.toBlob((blob) => resolve(blob ?? undefined), ...AS_JPEG));
}

/** A JPEG of that size, of what is painted. */
export async function painted(
  { width, height }: { width: number; height: number },
  paint: (pen: CanvasRenderingContext2D) => void,
): Promise<Blob | undefined> {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d");
  if (!pen || width === 0) return undefined;
  paint(pen);
  return jpegOf(canvas);
}
