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

/** To the right, up, and to the back: the way that somebody looks who looks ahead is 0, 0, −1. */
export type Direction = readonly [x: number, y: number, z: number];

/** A place on a side of the room, and what is there. */
export interface Spot {
  /** From the middle of the side, to the right and up, as tangents of angles. */
  readonly right: number;
  readonly up: number;
  readonly direction: Direction;
  readonly colour: Colour;
}

/** One of the six sides of the room, with a patch in its middle. */
export interface Side {
  readonly name: string;
  readonly yaw: number;
  readonly pitch: number;
  readonly spots: readonly Spot[];
}

/** A patch's corners, well inside of its edges, which are at 0.21, and beside its letters. */
const CORNER = 0.16;
/** As far beyond its edges, and away from the lines on the walls. */
const BESIDE = 0.33;

/** The middle of each patch, its four corners, and eight places on the wall around it. */
export const SIDES: readonly Side[] = PATCHES.map(([name, yaw, pitch, colour]) => {
  const straight = name === "up" ? 90 : pitch;
  const inside = [[0, 0], ...corners(CORNER, CORNER)];
  const around = [...corners(BESIDE, CORNER), ...corners(CORNER, BESIDE)];
  const spot = ([right = 0, up = 0]: number[], painted?: Colour): Spot => {
    const direction = towards(yaw, straight, right, up);
    return { right, up, direction, colour: painted ?? wall(direction) };
  };
  return {
    name,
    yaw,
    pitch: straight,
    spots: [...inside.map((at) => spot(at, colour)), ...around.map((at) => spot(at))],
  };
});

/** What is no part of what a camera sees. */
export const NOTHING: Colour = [0, 0, 0];

export function towards(yaw: number, pitch: number, right = 0, up = 0): Direction {
  const [ys, yc, ps, pc] = [Math.sin(rad(yaw)), Math.cos(rad(yaw)), Math.sin(rad(pitch)), Math.cos(rad(pitch))];
  const x = pc * ys + right * yc - up * ps * ys;
  const y = ps + up * pc;
  const z = -pc * yc + right * ys + up * ps * yc;
  const length = Math.hypot(x, y, z);
  return [x / length, y / length, z / length];
}

/** Degrees between two directions. */
export function between(a: Direction, b: Direction): number {
  const cosine = a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  return (Math.acos(Math.min(1, Math.max(-1, cosine))) * 180) / Math.PI;
}

function corners(right: number, up: number): number[][] {
  return [-right, right].flatMap((x) => [-up, up].map((y) => [x, y]));
}

/** Walls, sky and floor grow lighter from below to above. */
export function wall([, y]: Direction): Colour {
  const height = Math.asin(y) / Math.PI + 0.5;
  return [34 + 36 * height, 38 + 46 * height, 46 + 66 * height];
}

function rad(degrees: number): number {
  return (degrees * Math.PI) / 180;
}

/** A camera of two lenses as they come: neither even, nor in the middle, nor upright, and the whole rig hangs askew. */
export function rig(width: number, height: number): string {
  // Told of a picture 1280 wide.
  const pixels = (...values: number[]): string => values.map((value) => ((value * width) / 1280).toFixed(1)).join(", ");
  const center = (x: number, below: number): string => `${pixels(x)}, ${pixels((height * 640) / width + below)}`;
  return `source = "test-dual-fisheye"
mount = { yaw = 10.0, pitch = -20.0, roll = 5.0 }
[[cameras.lenses]]
fov = 200.0
center = [${center(312, -4)}]
roll = 7.0
kannala_brandt = { focal = [${pixels(168, 172)}], k = [0.02, -0.006, 0.0, 0.0] }
[[cameras.lenses]]
fov = 196.0
center = [${center(968, 4)}]
yaw = 178.0
pitch = 2.0
roll = -85.0
mei = { focal = [${pixels(320, 320)}], xi = 1.1, k = [-0.03, 0.005], p = [0.001, -0.002] }
`;
}
