/** Where the viewer looks, and how drags, wheels and keys change it. Pure. */

/** Degrees. Yaw grows to the right, pitch upwards; the field of view is the vertical one. */
export interface Look {
  readonly yaw: number;
  readonly pitch: number;
  readonly fov: number;
}

/** Straight ahead. */
export const START: Look = { yaw: 0, pitch: 0, fov: 75 };

export const MIN_FOV = 20;
export const MAX_FOV = 110;

/** Yaw in [-180, 180), pitch up to the poles, a field of view that a flat screen can show. */
export function bounded({ yaw, pitch, fov }: Look): Look {
  return { yaw: wrapped(yaw), pitch: clamp(pitch, -90, 90), fov: clamp(fov, MIN_FOV, MAX_FOV) };
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
  const step = look.fov / 10;
  return turned(look, right * step, up * step);
}

/** The finger moved by pixels in a view of that height, and the picture follows it. */
export function dragged(look: Look, dx: number, dy: number, height: number): Look {
  const halfHeight = Math.tan(radians(look.fov) / 2);
  const degreesPerPixel = degrees(Math.atan((2 * halfHeight) / Math.max(1, height)));
  // Near the poles a circle of latitude is short: more yaw for the same way, but not without end.
  const shrink = Math.max(0.3, Math.cos(radians(look.pitch)));
  return turned(look, (-dx * degreesPerPixel) / shrink, dy * degreesPerPixel);
}

/** The first look that an address asks for, such as `?yaw=90&pitch=10&fov=60`. */
export function lookFromQuery(query: string): Look {
  const asked = new URLSearchParams(query);
  const read = (name: keyof Look): number => {
    const text = asked.get(name);
    const value = text === null || text.trim() === "" ? NaN : Number(text);
    return Number.isFinite(value) ? value : START[name];
  };
  return bounded({ yaw: read("yaw"), pitch: read("pitch"), fov: read("fov") });
}

export function radians(angle: number): number {
  return (angle * Math.PI) / 180;
}

export function degrees(angle: number): number {
  return (angle * 180) / Math.PI;
}

function wrapped(yaw: number): number {
  const turn = (((yaw + 180) % 360) + 360) % 360;
  return turn - 180;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
