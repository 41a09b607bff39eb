import type { Page } from "@playwright/test";

/** What a page's video has shown, as recorded inside the page. */
export interface Frames {
  /** Milliseconds from navigation to the first frame that was decoded. */
  decoded: number | null;
  /** And to the first one that was handed to the screen. */
  first: number | null;
  count: number;
  stamped: number;
  /** Milliseconds from capture to the moment at which a frame was handed to the screen. */
  delays: number[];
  /** When, by the page's clock, each frame that could be read comes to the screen, and by the robot's, when it was captured. */
  seen: { at: number; captured: number }[];
  /** The last stamp that was read. */
  stamp: number | null;
  /** The longest time without a new frame, in milliseconds. */
  longestGap: number;
}

declare global {
  interface Window {
    recorded: Frames;
  }
}

/** Records every frame of the page's video from its first one on. Call before the page is opened. */
export async function recordFrames(page: Page): Promise<void> {
  await page.addInitScript(record);
}

export async function frames(page: Page): Promise<Frames> {
  return page.evaluate(() => window.recorded);
}

/** Runs inside the page: everything that it needs stands in it. */
function record(): void {
  const recorded: Frames = {
    decoded: null,
    first: null,
    count: 0,
    stamped: 0,
    delays: [],
    seen: [],
    stamp: null,
    longestGap: 0,
  };
  window.recorded = recorded;
  const canvas = new OffscreenCanvas(44 * 16, 16);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  let last = 0;

  /** The stamp in the picture's corner, or null when its preamble or checksum is wrong. */
  const readStamp = (video: HTMLVideoElement): number | null => {
    const block = video.videoWidth < 704 ? 8 : 16;
    if (context === null) return null;
    context.drawImage(video, 0, 0, 44 * block, block, 0, 0, 44 * block, block);
    const { data } = context.getImageData(0, 0, 44 * block, block);
    const bit = (index: number): number => {
      const x = index * block + block / 2;
      return (data[(block / 2) * 44 * block * 4 + x * 4] ?? 0) > 127 ? 1 : 0;
    };
    const bits = (from: number, length: number): number => {
      let value = 0;
      for (let index = from; index < from + length; index++) value = value * 2 + bit(index);
      return value;
    };
    const millis = bits(4, 32);
    const bytes = [24, 16, 8, 0].map((shift) => Math.floor(millis / 2 ** shift) & 0xff);
    const checksum = bytes.reduce((sum, byte) => (sum + byte) & 0xff, 0x5a);
    return bits(0, 4) === 0b1010 && bits(36, 8) === checksum ? millis : null;
  };

  const onFrame = (video: HTMLVideoElement, frame: VideoFrameCallbackMetadata): void => {
    const now = performance.now();
    recorded.first ??= now;
    recorded.count += 1;
    if (last > 0) recorded.longestGap = Math.max(recorded.longestGap, now - last);
    last = now;
    const stamp = readStamp(video);
    if (stamp !== null) {
      recorded.stamped += 1;
      recorded.stamp = stamp;
      recorded.delays.push(((performance.timeOrigin + now) % 2 ** 32) - stamp);
      recorded.seen.push({ at: Math.max(frame.expectedDisplayTime, frame.presentationTime), captured: stamp });
    }
    video.requestVideoFrameCallback((_, next) => onFrame(video, next));
  };

  const untilDecoded = async (peer: RTCPeerConnection): Promise<void> => {
    while (recorded.decoded === null && peer.connectionState !== "closed") {
      for (const report of (await peer.getStats()).values()) {
        if (report.type === "inbound-rtp" && report.framesDecoded > 0) recorded.decoded ??= performance.now();
      }
      await new Promise((resolve) => {
        setTimeout(resolve, 10);
      });
    }
  };
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      void untilDecoded(this);
    }
  };

  document.addEventListener("DOMContentLoaded", () => {
    for (const video of document.querySelectorAll("video")) {
      video.requestVideoFrameCallback((_, frame) => onFrame(video, frame));
    }
  });
}

export function quantile(values: number[], at: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(at * sorted.length))] ?? Number.NaN;
}
