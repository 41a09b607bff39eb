/** Looking around by drag, wheel and pinch. */
import type { Picture } from "./picture";
import { dragged, turned, zoomed } from "./view";

interface Point {
  readonly x: number;
  readonly y: number;
}

/** A flick loses half its speed in this time. */
const HALF_LIFE = 120;
/** Degrees per millisecond below which the eye sees no movement. */
const STILL = 0.002;
/** A finger that rested this long before it left did not flick. */
const RESTED = 60;

export class Pointers {
  readonly #picture: Picture;
  readonly #life = new AbortController();
  readonly #down = new Map<number, Point>();
  readonly #calm = matchMedia("(prefers-reduced-motion: reduce)");
  #speed = { yaw: 0, pitch: 0, at: 0 };
  #glide: number | undefined;

  /** `modest`: the page is part of another one, whose scrolling is not to be taken away. */
  constructor(picture: Picture, modest: boolean) {
    this.#picture = picture;
    const { canvas } = picture;
    const { signal } = this.#life;
    // Within a frame the canvas stays the active element when the focus has long gone to the page around it.
    const hasFocus = (): boolean => document.hasFocus() && document.activeElement === canvas;
    const mayZoom = (event: WheelEvent): boolean =>
      !modest || event.ctrlKey || hasFocus() || Boolean(document.fullscreenElement);
    canvas.addEventListener("pointerdown", (event) => this.#press(event), { signal });
    canvas.addEventListener("pointermove", (event) => this.#move(event), { signal });
    // The last comes alone when the canvas is put away beneath a finger.
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"] as const) {
      canvas.addEventListener(end, (event) => this.#release(event), { signal });
    }
    canvas.addEventListener("wheel", (event) => mayZoom(event) && this.#wheel(event), { signal, passive: false });
  }

  /** Ends a glide; whoever moves the view otherwise calls this first. */
  stop(): void {
    if (this.#glide !== undefined) cancelAnimationFrame(this.#glide);
    this.#glide = undefined;
  }

  close(): void {
    this.#life.abort();
    this.stop();
  }

  #press(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.stop();
    this.#picture.canvas.setPointerCapture(event.pointerId);
    this.#down.set(event.pointerId, place(event));
    this.#speed = { yaw: 0, pitch: 0, at: event.timeStamp };
  }

  #move(event: PointerEvent): void {
    const before = this.#down.get(event.pointerId);
    if (!before) return;
    const after = place(event);
    this.#down.set(event.pointerId, after);
    const other = [...this.#down].find(([id]) => id !== event.pointerId)?.[1];
    // Each of two fingers carries half of the movement.
    const share = other ? 0.5 : 1;
    const height = this.#picture.canvas.clientHeight;
    const old = this.#picture.look;
    let look = dragged(old, (after.x - before.x) * share, (after.y - before.y) * share, height);
    if (other) look = zoomed(look, distance(before, other) / Math.max(1, distance(after, other)));
    this.#picture.look = look;

    const elapsed = Math.max(1, event.timeStamp - this.#speed.at);
    const turn = ((look.yaw - old.yaw + 540) % 360) - 180;
    this.#speed = {
      yaw: blend(this.#speed.yaw, turn / elapsed),
      pitch: blend(this.#speed.pitch, (look.pitch - old.pitch) / elapsed),
      at: event.timeStamp,
    };
  }

  #release(event: PointerEvent): void {
    if (!this.#down.delete(event.pointerId) || this.#down.size > 0) return;
    const rested = event.timeStamp - this.#speed.at > RESTED;
    if (event.type === "pointerup" && !rested && !this.#calm.matches) this.#glideFrom(performance.now());
  }

  #glideFrom(then: number): void {
    const { yaw, pitch } = this.#speed;
    if (Math.hypot(yaw, pitch) < STILL) return;
    this.#glide = requestAnimationFrame(() => {
      const now = performance.now();
      const elapsed = now - then;
      this.#picture.look = turned(this.#picture.look, yaw * elapsed, pitch * elapsed);
      const keep = 0.5 ** (elapsed / HALF_LIFE);
      this.#speed = { ...this.#speed, yaw: yaw * keep, pitch: pitch * keep };
      this.#glideFrom(now);
    });
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    this.stop();
    // Mice that count in lines or pages move some 16 or 400 pixels for each.
    const unit = [1, 16, 400][event.deltaMode] ?? 1;
    this.#picture.look = zoomed(this.#picture.look, Math.exp(event.deltaY * unit * (event.ctrlKey ? 0.01 : 0.001)));
  }
}

/** Smooths speeds, as single pointer events jump. */
function blend(was: number, is: number): number {
  return was * 0.4 + is * 0.6;
}

function place(event: PointerEvent): Point {
  return { x: event.clientX, y: event.clientY };
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
