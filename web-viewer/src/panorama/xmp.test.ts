import { expect, it } from "vitest";
import { asPanorama } from "./xmp";

const JPEG = Uint8Array.from([0xff, 0xd8, 0xff, 0xdb, 0, 3, 7, 0xff, 0xd9]);

it("a panorama says so between the start of the picture and the rest", () => {
  const made = asPanorama(JPEG, 1920, 960);
  expect([...made.subarray(0, 4)]).toEqual([0xff, 0xd8, 0xff, 0xe1]);
  const length = ((made[4] ?? 0) << 8) | (made[5] ?? 0);
  expect([...made.subarray(4 + length)]).toEqual([...JPEG.subarray(2)]);
  const note = new TextDecoder().decode(made.subarray(6, 4 + length));
  expect(note).toMatch(/^http:\/\/ns\.adobe\.com\/xap\/1\.0\/\0</);
  expect(note).toContain('GPano:ProjectionType="equirectangular"');
  expect(note).toContain('GPano:FullPanoWidthPixels="1920"');
  expect(note).toContain('GPano:FullPanoHeightPixels="960"');
});

it("what is no JPEG is left as it is", () => {
  const png = Uint8Array.from([0x89, 0x50]);
  expect(asPanorama(png, 2, 1)).toBe(png);
});
