/**
 * Plays a video and draws each of its frames once, by the way that the address names, on a canvas that covers it.
 *
 * Loading, counting and timing are the same for all ways. `nothing` is covered as well, so that the browser decodes for
 * it and has no picture to show: what any other way takes beyond that is for taking over the frame, drawing and showing it.
 */
import { ours } from "./ours";
import { three } from "./three";

/** Draws the frame that has come, in the next animation frame. */
export type Frame = () => void;
export type Way = (cover: HTMLCanvasElement, video: HTMLVideoElement) => Frame;

const WAYS: Record<string, Way | undefined> = { ours, three };

const counts = { frames: 0, shown: 0, held: 0 };
window.counts = counts;
window.finish = false;

const address = new URLSearchParams(location.search);
const way = WAYS[address.get("way") ?? ""];
const video = document.querySelector("video");
if (!video) throw new Error("the page has no video");

const cover = document.createElement(way ? "canvas" : "div");
cover.id = "cover";
document.body.append(cover);
const frame = cover instanceof HTMLCanvasElement ? way?.(cover, video) : undefined;

/** Reading a pixel back is the only way of waiting that browsers cannot put off. */
function pixel(x: number, y: number): number[] {
  const read = new Uint8Array(4);
  const gl = cover instanceof HTMLCanvasElement ? cover.getContext("webgl2") : undefined;
  gl?.readPixels(x, y, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, read);
  return [...read.subarray(0, 3)];
}

// Callbacks of one animation frame run in the order in which they were asked for, and those of videos before them.
function draw(): Promise<void> {
  return new Promise((resolve) => {
    let from = 0;
    requestAnimationFrame(() => {
      from = performance.now();
    });
    frame?.();
    requestAnimationFrame(() => {
      if (window.finish) pixel(0, 0);
      counts.held += performance.now() - from;
      counts.frames += 1;
      resolve();
    });
  });
}

function follow(): void {
  video?.requestVideoFrameCallback((_, { presentedFrames }) => {
    counts.shown = presentedFrames;
    void draw();
    follow();
  });
}

window.first = async () => {
  if (!(cover instanceof HTMLCanvasElement)) return [];
  video.pause();
  // One from before the leap may still be on its way to the screen.
  const shown = new Promise<void>((resolve) => {
    const look = (): void => {
      video.requestVideoFrameCallback((_, { mediaTime }) => (mediaTime === 0 ? resolve() : look()));
    };
    look();
  });
  video.currentTime = 0;
  await shown;
  await draw();
  return [...Array(9).keys()].flatMap((row) =>
    [...Array(16).keys()].flatMap((column) =>
      pixel((cover.width * (column + 0.5)) / 16, (cover.height * (row + 0.5)) / 9),
    ),
  );
};

const file = await fetch(`${address.get("width")}.webm`);
video.src = URL.createObjectURL(await file.blob());
follow();
await video.play();
