import { type Page, expect, test } from "@playwright/test";

import { frames, quantile, recordFrames } from "./support/frames.ts";
import { type Colour, distance, inPicture, onScreen } from "./support/pixels.ts";
import { Programs } from "./support/programs.ts";
import { type Direction, type Spot, CLOSE, NOTHING, PATCHES, SIDES, between, rig, towards } from "./support/scene.ts";

// A small window, since drawing in software is what takes the time here.
const [WIDTH, HEIGHT] = [480, 270];
test.use({ viewport: { width: WIDTH, height: HEIGHT } });

let programs: Programs;

test.beforeEach(async () => {
  programs = await Programs.start();
});
test.afterEach(() => programs.stop());

/** The size of the camera's picture. */
const [ACROSS, DOWN] = [960, 540];

const robot = (camera: string): string => `
[media]
listen = "127.0.0.1:0"

[[cameras]]
id = "main"
width = ${ACROSS}
height = ${DOWN}
fps = 10
bitrate = 3000000
${camera}
`;

interface Sight {
  name: string;
  camera: string;
  projection: string;
  /** How many degrees inside of what it sees a direction is. */
  sees: (direction: Direction) => number;
  /** Where in the picture a direction lies, where that needs no more than a rule of three. */
  lies?: (direction: Direction) => [x: number, y: number];
}

/** What a lens has in view that nobody has described, from edge to edge. */
const USUAL = 190;

/** One that looks there, and sees so much. */
const lens =
  (yaw: number, pitch: number, fov = USUAL): Sight["sees"] =>
  (direction) =>
    fov / 2 - between(direction, towards(yaw, pitch));

/** A circle around the middle of a share of the picture: further out is further off the axis, evenly. */
const circle =
  (middle: number, share: number, facing: 1 | -1): NonNullable<Sight["lies"]> =>
  ([x, y, z]) => {
    const radius = Math.min(ACROSS * share, DOWN) / 2;
    const off = Math.hypot(x, y);
    const out = (radius * Math.atan2(off, -z * facing)) / rad(USUAL / 2) / (off || 1);
    return [middle + (out * x * facing) / ACROSS, 0.5 - (out * y) / DOWN];
  };

/** Who looks there sees the faces of a cube where they usually lie, row by row. */
const FACES: readonly (readonly [yaw: number, pitch: number])[] = [
  [90, 0],
  [-90, 0],
  [0, 90],
  [0, -90],
  [0, 0],
  [180, 0],
];

const onCube: NonNullable<Sight["lies"]> = (direction) => {
  const seen = FACES.map(([yaw, pitch], cell) => {
    const axes = [towards(yaw, pitch), towards(yaw + 90, 0), towards(yaw, pitch + 90)];
    const [ahead = 0, right = 0, up = 0] = axes.map(
      ([x, y, z]) => x * direction[0] + y * direction[1] + z * direction[2],
    );
    return { cell, ahead, right: right / ahead, up: up / ahead };
  });
  const { cell, right, up } = seen.reduce((most, other) => (other.ahead > most.ahead ? other : most));
  return [((cell % 3) + 0.5 + right / 2) / 3, (Math.floor(cell / 3) + 0.5 - up / 2) / 2];
};

const everywhere = (): number => 180;

const SIGHTS: Sight[] = [
  {
    name: "one fisheye lens",
    camera: 'source = "test-fisheye"',
    projection: "fisheye",
    sees: lens(0, 0),
    lies: circle(0.5, 1, 1),
  },
  {
    name: "one fisheye lens that looks to the right and up, askew",
    camera: 'source = "test-fisheye"\nmount = { yaw = 40.0, pitch = 25.0, roll = 15.0 }',
    projection: "fisheye",
    sees: lens(40, 25),
  },
  {
    name: "one lens that bends what it sees, and looks to the left and down",
    camera: `source = "test-fisheye"
[[cameras.lenses]]
fov = 170.0
center = [470.0, 280.0]
yaw = -50.0
pitch = -35.0
kannala_brandt = { focal = [160.0, 165.0], k = [0.03, -0.008, 0.0, 0.0] }`,
    projection: "fisheye",
    sees: lens(-50, -35, 170),
  },
  {
    name: "two fisheye lenses",
    camera: 'source = "test-dual-fisheye"',
    projection: "dual_fisheye",
    sees: everywhere,
    lies: (direction) => (direction[2] <= 0 ? circle(0.25, 0.5, 1) : circle(0.75, 0.5, -1))(direction),
  },
  { name: "two fisheye lenses of a rig", camera: rig(ACROSS, DOWN), projection: "dual_fisheye", sees: everywhere },
  {
    name: "half a sphere",
    camera: 'source = "test"\ncoverage = [200.0, 180.0]',
    projection: "equirectangular",
    // Straight up and down, all of its edges meet.
    sees: ([x, , z]) => (100 - Math.abs((Math.atan2(x, -z) * 180) / Math.PI)) * Math.hypot(x, z),
  },
  // Their faces are not square, as of any cube in a picture of a screen's shape.
  {
    name: "the faces of a cube",
    camera: 'source = "test-cube-map"',
    projection: "cube_map",
    sees: everywhere,
    lies: onCube,
  },
  {
    name: "a cube of even angles, its lower row turned, that hangs askew",
    // Here the time stamp hides no place that is looked at.
    camera: 'source = "test-equiangular"\nmount = { yaw = -70.0, pitch = 20.0, roll = 15.0 }',
    projection: "equiangular",
    sees: everywhere,
  },
  {
    name: "a cube whose faces lie in two columns, each turned in another way",
    camera: `source = "test-cube-map"
columns = 2
faces = ["up", "back", "front", "left", "right", "down"]
turns = [90, 180, 270, 0, 90, 180]`,
    projection: "cube_map",
    sees: everywhere,
  },
];

/** Nearer than that to the edge of what is seen is neither inside nor outside, or behind the time stamp. */
const [INSIDE, OUTSIDE] = [8, -3];
const FOV = 60;
/** The same of a little planet. */
const PLANET = 60;

/** Where on the screen those see places of a side who look straight at it: as it is, or as a little planet. */
function places(spots: readonly Spot[], eye: "window" | "planet"): [x: number, y: number][] {
  const half = eye === "window" ? Math.tan(rad(FOV / 2)) : 2 * Math.tan(rad(PLANET / 4));
  return spots.map(({ right, up }) => {
    const scale = (eye === "window" ? 1 : 2 / (1 + Math.hypot(right, up, 1))) / half / 2;
    return [0.5 + right * scale * (HEIGHT / WIDTH), 0.5 - up * scale];
  });
}

const rad = (degrees: number): number => (degrees * Math.PI) / 180;

for (const { name, camera, projection, sees, lies } of SIGHTS) {
  test(`a picture of ${name} shows each thing where it is, and when`, async ({ page }) => {
    await programs.startRobot(robot(camera));
    await recordFrames(page);
    await page.goto(`${programs.url}/watch/demo`);
    await expect(page.locator("body")).toHaveAttribute("data-state", "live");
    await expect(page.locator("body")).toHaveAttribute("data-projection", projection);
    for (const side of SIDES) {
      const spots = side.spots
        .filter(({ direction }) => sees(direction) > INSIDE || sees(direction) < OUTSIDE)
        .filter(({ direction }) => !stamped(projection, direction))
        .map((spot) => (sees(spot.direction) > 0 ? spot : { ...spot, colour: NOTHING }));
      if (spots.length === 0) continue;
      const colours = spots.map(({ colour }) => colour);
      const view = page.locator("#panorama");
      const drawn = async (eye: "window" | "planet"): Promise<void> => {
        const looks = { window: `${FOV}`, planet: `${PLANET},planet` }[eye];
        await page.evaluate((hash) => (location.hash = hash), `#${side.yaw},${side.pitch},${looks}`);
        await expect(page.locator("body")).toHaveAttribute("data-view", eye);
        const seen = async (): Promise<string[]> => unlike(await onScreen(page, view, places(spots, eye)), colours);
        await expect.poll(seen, `drawn, looking ${side.name}, ${eye}`).toEqual([]);
      };
      await drawn("window");
      await drawn("planet");
      if (!lies) continue;
      const seen = spots.filter(({ direction }) => sees(direction) > 0);
      const video = page.locator("#video");
      const inside = seen.map(({ direction }) => lies(direction));
      const painted = seen.map(({ colour }) => colour);
      await expect
        .poll(async () => unlike(await inPicture(video, inside), painted), `as it comes, ${side.name}`)
        .toEqual([]);
    }
    await showsWhen(page);
  });
}

/** Where the time stamp of a picture that is all around lies. */
function stamped(projection: string, [, y]: Direction): boolean {
  return projection === "equirectangular" && y > 0.985;
}

/** Which of the colours are not what they should be. */
function unlike(seen: Colour[], painted: Colour[]): string[] {
  const pairs = seen.map((colour, index) => [index, colour, painted[index] ?? NOTHING] as const);
  return pairs
    .filter(([, colour, should]) => distance(colour, should) >= CLOSE)
    .map(([index, colour, should]) => `number ${index}: ${colour.join()} instead of ${should.map(Math.round).join()}`);
}

/** Every picture says when it was taken, and that goes on. */
async function showsWhen(page: Page): Promise<void> {
  await expect.poll(async () => (await frames(page)).stamped).toBeGreaterThan(30);
  const { count, stamped: readable, stamp, delays } = await frames(page);
  expect(readable / count).toBeGreaterThanOrEqual(0.99);
  // It was a moment ago, however busy the machine is.
  expect(quantile(delays, 0.5)).toBeGreaterThan(0);
  expect(quantile(delays, 0.5)).toBeLessThan(60_000);
  await expect.poll(async () => (await frames(page)).stamp, "time goes on").not.toBe(stamp);
}

/** A patch lies across an edge of the cube. In the picture, the wall is beside one of these faces there, or both. */
const EDGES: [name: string, camera: string][] = [
  ["front and left", 'source = "test-cube-map"\nmount = { yaw = -45.0, pitch = 0.0, roll = 0.0 }'],
  ["front and down, evenly", 'source = "test-equiangular"\nmount = { yaw = -90.0, pitch = 45.0, roll = 0.0 }'],
];

for (const [name, camera] of EDGES) {
  test(`where the faces of a cube meet nothing shows of what is beside them in the picture: ${name}`, async ({
    page,
  }) => {
    // Few pixels, so that each is many on the screen.
    const few = robot(camera).replace(`width = ${ACROSS}`, "width = 240").replace(`height = ${DOWN}`, "height = 160");
    await programs.startRobot(few);
    const [, yaw, pitch, colour] = PATCHES.find(([side]) => side === "left") ?? [];
    await page.goto(`${programs.url}/watch/demo?yaw=${yaw}&pitch=${pitch}&fov=20`);
    await expect(page.locator("body")).toHaveAttribute("data-state", "live");
    const steps = [-12, -8, -4, 0, 4, 8, 12];
    const around = steps.flatMap((x) => steps.map((y): [number, number] => [0.5 + x / WIDTH, 0.5 + y / HEIGHT]));
    // Of colours there are half as many pixels, and decoders smooth them before anything is drawn.
    const off = async (): Promise<number> => {
      const seen = await onScreen(page, page.locator("#panorama"), around);
      return Math.max(...seen.map((one) => Math.abs(luma(one) - luma(colour ?? NOTHING))));
    };
    await expect.poll(off).toBeLessThan(CLOSE / 2);
  });
}

function luma([red, green, blue]: Colour): number {
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
