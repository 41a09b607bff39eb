import type { Page } from "@playwright/test";

declare global {
  interface Window {
    /** By how many milliseconds each beep was heard after the picture of the second that it begins with was seen. */
    late: number[];
  }
}

/** Sees and hears what the page does, from now on, by the stamps in the picture and the beeps in the sound. */
export async function watchAndListen(page: Page): Promise<void> {
  await page.evaluate(follow);
}

export async function late(page: Page): Promise<number[]> {
  return page.evaluate(() => window.late);
}

/** What the receiver says of itself. */
interface Reckoned {
  /** By how many milliseconds sound is behind the picture. */
  late: number;
  /** For how many it was told to hold back the picture, and the sound. */
  hold: number | null;
  holdSound: number | null;
}

/** The receiver's own figures, instead of what is seen and heard. */
export async function reckoned(page: Page): Promise<Reckoned> {
  return page.evaluate(async () => {
    const peer = window.peers.at(-1);
    const receivers = ["audio", "video"].map((kind) =>
      peer?.getReceivers().find((receiver) => receiver.track.kind === kind),
    );
    const reports = [...((await peer?.getStats())?.values() ?? [])];
    const device = reports.find(({ type }) => type === "media-playout");
    const [sound, picture] = receivers.map((receiver) => {
      // Both instants are in no library of types yet.
      const source = receiver?.getSynchronizationSources()[0] as
        | { timestamp: number; captureTimestamp: number }
        | undefined;
      return source ? source.timestamp - source.captureTimestamp : Number.NaN;
    });
    const played = (1000 * device.totalPlayoutDelay) / device.totalSamplesCount;
    return {
      late: (sound ?? Number.NaN) + played - (picture ?? Number.NaN),
      hold: receivers[1]?.jitterBufferTarget ?? null,
      holdSound: receivers[0]?.jitterBufferTarget ?? null,
    };
  });
}

/** Runs inside the page: everything that it needs stands in it. */
async function follow(): Promise<void> {
  const NEAR = 400;
  window.late = [];
  const video = document.querySelector("video");
  if (!(video?.srcObject instanceof MediaStream)) throw new Error("there is nothing to see");

  /** How long after its stamp each picture was on the screen, by the wall's clock. */
  const seen: { at: number; after: number }[] = [];
  const onFrame = (frame: VideoFrameCallbackMetadata): void => {
    video.requestVideoFrameCallback((_, next) => onFrame(next));
    const { stamp } = window.recorded;
    if (stamp === null) return;
    const at = performance.timeOrigin + Math.max(frame.expectedDisplayTime, frame.presentationTime);
    seen.push({ at, after: (at - stamp) % 2 ** 32 });
    if (seen.length > 120) seen.shift();
  };
  video.requestVideoFrameCallback((_, frame) => onFrame(frame));

  const onBeep = (at: number): void => {
    const near = seen.filter((picture) => Math.abs(picture.at - at) < NEAR).map(({ after }) => after);
    const after = near.toSorted((a, b) => a - b)[Math.floor(near.length / 2)];
    // A beep begins with the second.
    if (after !== undefined) window.late.push((at % 1000) - after);
  };
  const listener = `registerProcessor("beeps", class extends AudioWorkletProcessor {
    quiet = 0;
    process([[samples = []]]) {
      samples.forEach((sample, index) => {
        if (Math.abs(sample) < 0.05) return void this.quiet++;
        if (this.quiet > sampleRate / 3) this.port.postMessage((currentFrame + index) / sampleRate);
        this.quiet = 0;
      });
      return true;
    }
  })`;
  const context = new AudioContext();
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([listener], { type: "text/javascript" })));
  const beeps = new AudioWorkletNode(context, "beeps");
  beeps.port.addEventListener("message", ({ data }) => {
    // When this context lets it be heard, which takes no less time than the video's own way.
    const { contextTime = 0, performanceTime = 0 } = context.getOutputTimestamp();
    onBeep(performance.timeOrigin + performanceTime + (Number(data) - contextTime) * 1000);
  });
  beeps.port.start();
  context.createMediaStreamSource(new MediaStream(video.srcObject.getAudioTracks())).connect(beeps);
  const silent = new GainNode(context, { gain: 0 });
  beeps.connect(silent).connect(context.destination);
}
