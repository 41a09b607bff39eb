/** How old frames are when they come to the screen. Pure. */
import type { Millis } from "./retry";

/** What `requestVideoFrameCallback` says of a frame, in milliseconds on the page's clock. */
export interface ShownFrame {
  presentationTime: number;
  expectedDisplayTime: number;
  captureTime?: number;
  rtpTimestamp?: number;
}

/** What the receiver says of the last frame that it has handed on; the capture time is the robot's, in NTP. */
export interface ReceivedFrame {
  rtpTimestamp: number;
  captureTimestamp?: number;
  senderCaptureTimeOffset?: number;
}

/** The page's clock, which goes on evenly whatever happens to the wall's, and what it counts from. */
export interface Clocks {
  now: Millis;
  origin: Millis;
}

/** Nothing when no frame is new. */
export type Delay = Millis | "unknown" | undefined;

/** From 1900, where NTP begins, to 1970. */
export const NTP_TO_UNIX = 2_208_988_800_000;
export const VIDEO_TICKS_PER_MS = 90;
/** Older than this, a frame is none that is on its way to the screen. */
const IMPLAUSIBLE = 60_000;
/** A picture that stands still has no delay that would mean anything. */
const STANDS_STILL = 2000;

/**
 * The capture time in the packets is there from the first frame and exact, but on the robot's clock: `ahead` is what that
 * shows more than the page's, nothing while that is unknown. What does not come from our broadcaster may say nothing in its
 * packets; a browser that knows the round trip of such a stream estimates the frame's own `captureTime` then.
 */
export function captureToScreen(
  frames: readonly ShownFrame[],
  received: ReceivedFrame | undefined,
  ahead: Millis | undefined,
  { now, origin }: Clocks,
): Delay {
  const fresh = frames.filter((frame) => now - seenAt(frame) <= STANDS_STILL);
  if (fresh.length === 0) return undefined;
  const delays = fresh.flatMap((frame) => {
    const dated = capturedByPackets(frame, received);
    const captured = dated === undefined ? frame.captureTime : ahead === undefined ? undefined : dated - ahead - origin;
    return captured === undefined ? [] : [seenAt(frame) - captured];
  });
  const delay = median(delays);
  return delay >= 0 && delay <= IMPLAUSIBLE ? delay : "unknown";
}

/** From capture to the screen by two clocks, the robot's and the page's: for comparing with what else is measured so. */
export function captureToEye(
  shown: ShownFrame | undefined,
  received: ReceivedFrame | undefined,
  now: Millis,
): Millis | undefined {
  if (!shown || now - seenAt(shown) > STANDS_STILL) return undefined;
  const captured = capturedByPackets(shown, received);
  return captured === undefined ? undefined : seenAt(shown) - captured;
}

/** Not a number when there are none. */
export function median(values: Millis[]): Millis {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

/** Without a jitter buffer, Chromium may expect a frame on the screen before it has even come. */
function seenAt({ expectedDisplayTime, presentationTime }: ShownFrame): Millis {
  return Math.max(expectedDisplayTime, presentationTime);
}

/** Unix time, on the robot's clock. */
export function capturedByPackets(shown: ShownFrame, received: ReceivedFrame | undefined): Millis | undefined {
  if (received?.captureTimestamp === undefined) return undefined;
  // The receiver may be some frames ahead of the screen. RTP's 32 bits wrap, hence the shift to a signed difference.
  const ahead = (received.rtpTimestamp - (shown.rtpTimestamp ?? received.rtpTimestamp)) | 0;
  // A mixer on the way knows by how much the camera's clock is behind its own.
  const offset = received.senderCaptureTimeOffset ?? 0;
  return received.captureTimestamp + offset - NTP_TO_UNIX - ahead / VIDEO_TICKS_PER_MS;
}
