import type { Page } from "@playwright/test";

/** One join, in milliseconds since the click; what has not come yet is absent. */
export interface Timeline {
  /** The last byte of the document. */
  loaded?: number;
  /** The page's script has begun to open a socket to the server. */
  linking?: number;
  linked?: number;
  /** The page's script asks the server to watch. */
  asked?: number;
  offered?: number;
  answered?: number;
  /** DTLS is done. */
  connected?: number;
  /** The first decoded picture is handed to the track, as the receiver dates it. */
  decoded?: number;
  /** The first statistics that count a decoded picture; Chromium renews them every 50 ms. */
  counted?: number;
  /** The first picture is submitted to the compositor, as the video element dates it. */
  presented?: number;
}

/** One picture, in milliseconds on the page's clock, which is `performance.now()`. */
export interface Shown {
  /** When the picture's own stamp says that it was captured; read from some of the pictures only. */
  stamp: number | null;
  received: number | null;
  presented: number;
  /** When the callback ran, which the page draws after. */
  called: number;
}

declare global {
  interface Window {
    timeline: Timeline;
    shown: Shown[];
    /** The peer connection that was made last. */
    peer?: RTCPeerConnection;
  }
}

/** Follows each join and each picture from now on. Call before pages are opened. */
export async function follow(page: Page): Promise<void> {
  await page.addInitScript(recordTimeline);
}

/** Runs inside the page: everything that it needs stands in it. */
function recordTimeline(): void {
  const READ_EVERY = 4;
  const canvas = new OffscreenCanvas(44 * 16, 16);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const timeline: Timeline = {};
  window.timeline = timeline;
  window.shown = [];

  // The click is in the document before this one.
  const CLICKED = "clicked";
  addEventListener(
    "click",
    ({ timeStamp }) => sessionStorage.setItem(CLICKED, String(performance.timeOrigin + timeStamp)),
    { capture: true },
  );
  const clicked = Number(sessionStorage.getItem(CLICKED) ?? performance.timeOrigin) - performance.timeOrigin;
  const mark = (step: keyof Timeline, at = performance.now()): void => {
    timeline[step] ??= at - clicked;
  };

  window.WebSocket = class extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      mark("linking");
      super(url, protocols);
      this.addEventListener("open", () => mark("linked"));
      const [navigation] = performance.getEntriesByType("navigation");
      if (navigation instanceof PerformanceNavigationTiming) mark("loaded", navigation.responseEnd);
    }
    override send(data: Parameters<WebSocket["send"]>[0]): void {
      if (typeof data === "string" && data.includes('"watcher"')) mark("asked");
      super.send(data);
    }
  };

  const untilDecoded = (peer: RTCPeerConnection): void => {
    const first = peer.getReceivers()[0]?.getSynchronizationSources()[0];
    if (first) mark("decoded", first.timestamp - performance.timeOrigin);
    else setTimeout(() => untilDecoded(peer), 4);
  };
  const untilCounted = async (peer: RTCPeerConnection): Promise<void> => {
    while (timeline.counted === undefined && peer.connectionState !== "closed") {
      for (const report of (await peer.getStats()).values()) {
        if (report.type === "inbound-rtp" && report.framesDecoded > 0) mark("counted");
      }
      await new Promise((resolve) => {
        setTimeout(resolve, 20);
      });
    }
  };
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      window.peer = this;
      this.addEventListener("connectionstatechange", () => this.connectionState === "connected" && mark("connected"));
      untilDecoded(this);
      void untilCounted(this);
    }
    override async setRemoteDescription(description: RTCSessionDescriptionInit): Promise<void> {
      mark("offered");
      await super.setRemoteDescription(description);
    }
    override async setLocalDescription(description?: RTCLocalSessionDescriptionInit): Promise<void> {
      await super.setLocalDescription(description);
      mark("answered");
    }
  };

  /** On the page's clock. */
  const readStamp = (video: HTMLVideoElement): number | null => {
    if (context === null) return null;
    context.drawImage(video, 0, 0, canvas.width, canvas.height, 0, 0, canvas.width, canvas.height);
    const { data } = context.getImageData(0, 8, canvas.width, 1);
    let millis = 0;
    for (let bit = 4; bit < 36; bit++) millis = millis * 2 + ((data[(bit * 16 + 8) * 4] ?? 0) > 127 ? 1 : 0);
    const now = performance.now();
    // The stamp leaves out fractions of a millisecond: half of one on average.
    const age = (performance.timeOrigin + now - millis - 0.5) % 2 ** 32;
    return now - age;
  };
  let frames = 0;
  const onFrame = (video: HTMLVideoElement, _: number, frame: VideoFrameCallbackMetadata): void => {
    video.requestVideoFrameCallback((...args) => onFrame(video, ...args));
    mark("presented", frame.presentationTime);
    const now = performance.now();
    const stamp = frames++ % READ_EVERY === 0 ? readStamp(video) : null;
    window.shown.push({ stamp, received: frame.receiveTime ?? null, presented: frame.presentationTime, called: now });
  };
  document.addEventListener("DOMContentLoaded", () => {
    const video = document.querySelector("video");
    video?.requestVideoFrameCallback((...args) => onFrame(video, ...args));
  });
}
