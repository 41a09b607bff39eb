/** Where the viewer looks, and how drags, wheels and keys change it. Pure. */

/**
 * How directions come to lie on the screen: as through a window, where straight lines stay straight, or all around as a
 * little planet (stereographic), where circles stay circles.
 */
export type Eye = "window" | "planet";

/** Degrees. Yaw grows to the right, pitch upwards, roll clockwise; the field of view is the vertical one. */
export interface Look {
  readonly yaw: number;
  readonly pitch: number;
  /** Only of a device that is held askew. */
  readonly roll: number;
  readonly fov: number;
  readonly eye: Eye;
}

/** Straight ahead. */
export const START: Look = { yaw: 0, pitch: 0, roll: 0, fov: 75, eye: "window" };
/** The ground in the middle, and the horizon around it. */
export const PLANET: Look = { yaw: 0, pitch: -90, roll: 0, fov: 260, eye: "planet" };

/** What a flat screen can show. */
export const FOV: Record<Eye, readonly [least: number, most: number]> = { window: [20, 110], planet: [60, 330] };

export function startOf(eye: Eye): Look {
  return eye === "window" ? START : PLANET;
}

/** Yaw in [-180, 180), pitch up to the poles, a field of view that a flat screen can show. */
export function bounded({ yaw, pitch, roll, fov, eye }: Look): Look {
  return { yaw: wrapped(yaw), pitch: clamp(pitch, -90, 90), roll: wrapped(roll), fov: clamp(fov, ...FOV[eye]), eye };
}

/** Half of the screen's height at distance 1. */
export function halfHeight({ fov, eye }: Pick<Look, "fov" | "eye">): number {
  return eye === "window" ? Math.tan(radians(fov) / 2) : 2 * Math.tan(radians(fov) / 4);
}

/** Turns by degrees. */
export function turned(look: Look, yaw: number, pitch: number): Look {
  return bounded({ ...look, yaw: look.yaw + yaw, pitch: look.pitch + pitch });
}

/** Scales the field of view: below 1 comes nearer. */
export function zoomed(look: Look, factor: number): Look {
  return bounded({ ...look, fov: look.fov * factor });
}

/** One press of a key or button: a tenth of what is in view, so that it feels the same at every zoom. */
export function stepped(look: Look, right: number, up: number): Look {
  // Of a planet, more is in view than there is to turn to.
  const step = Math.min(look.fov, 100) / 10;
  return turned(look, right * step, up * step);
}

/** The finger moved by pixels in a view of that height, and the picture follows it. */
export function dragged(look: Look, dx: number, dy: number, height: number): Look {
  const degreesPerPixel = degrees(Math.atan((2 * halfHeight(look)) / Math.max(1, height)));
  // Near the poles a circle of latitude is short: more yaw for the same way, but not without end.
  const shrink = Math.max(0.3, Math.cos(radians(look.pitch)));
  return turned(look, (-dx * degreesPerPixel) / shrink, dy * degreesPerPixel);
}

/** The look that an address asks for: `#90,10,60` (yaw, pitch, field of view) or `#0,-90,260,planet`. */
export function lookFromHash(hash: string): Look | undefined {
  const [yaw, pitch, fov, eye = "window"] = hash.slice(1).split(",");
  const angles = [yaw, pitch, fov].map((text) => (text?.trim() ? Number(text) : NaN));
  if (!angles.every(Number.isFinite) || (eye !== "window" && eye !== "planet")) return undefined;
  const [y = 0, p = 0, f = 0] = angles;
  return bounded({ yaw: y, pitch: p, roll: 0, fov: f, eye });
}

/** What `lookFromHash` reads; a tenth of a degree is finer than anybody aims. */
export function hashOf({ yaw, pitch, fov, eye }: Look): string {
  const angles = [yaw, pitch, fov].map((angle) => Math.round(angle * 10) / 10 + 0);
  return `#${[...angles, ...(eye === "window" ? [] : [eye])].join(",")}`;
}

/** The same by names, for those who write the address by hand: `?yaw=90&pitch=10&fov=60`. */
export function lookFromQuery(query: string): Look {
  const asked = new URLSearchParams(query);
  const start = startOf(asked.get("eye") === "planet" ? "planet" : "window");
  const read = (name: "yaw" | "pitch" | "fov"): number => {
    const text = asked.get(name);
    const value = text === null || text.trim() === "" ? NaN : Number(text);
    return Number.isFinite(value) ? value : start[name];
  };
  return bounded({ ...start, yaw: read("yaw"), pitch: read("pitch"), fov: read("fov") });
}

export function radians(angle: number): number {
  return (angle * Math.PI) / 180;
}

export function degrees(angle: number): number {
  return (angle * 180) / Math.PI;
}

function wrapped(yaw: number): number {
  // What is right already stays what it is, to the last bit.
  if (yaw >= -180 && yaw < 180) return yaw;
  const turn = (((yaw + 180) % 360) + 360) % 360;
  return turn - 180;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
