import type { Colour } from "./pixels.ts";

/** Where the synthetic scene has which colour. Straight up is the time stamp, and the patch around it. */
export const PATCHES: [name: string, yaw: number, pitch: number, colour: Colour][] = [
  ["front", 0, 0, [214, 48, 49]],
  ["right", 90, 0, [39, 174, 96]],
  ["back", -180, 0, [52, 101, 220]],
  ["left", -90, 0, [241, 196, 15]],
  ["up", 0, 81, [26, 188, 200]],
  ["down", 0, -90, [190, 60, 200]],
];

/** How far a colour that went through an encoder may be from the painted one. */
export const CLOSE = 12;
