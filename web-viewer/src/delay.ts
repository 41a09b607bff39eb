/** How old a frame is when it comes to the screen. Pure. */

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

/** The same instant on the page's clock and on the wall's. */
export interface Clocks {
  now: number;
  wall: number;
}

/** Milliseconds; nothing when the robot does not say or no frame is new. */
export type Delay = number | "clocks differ" | undefined;

/** From 1900, where NTP begins, to 1970. */
export const NTP_TO_UNIX = 2_208_988_800_000;
const VIDEO_TICKS_PER_MS = 90;
/** Older than this, a frame is none that is on its way to the screen. */
const IMPLAUSIBLE = 60_000;
/** A picture that stands still has no delay that would mean anything. */
const STANDS_STILL = 2000;

/**
 * The frame's own `captureTime` is the better source: Chromium derives it from the robot's sender reports and the round
 * trip, so that it is on the viewer's clock already and a robot whose clock is wrong does not matter. But it takes two
 * reports and a known round trip, which not every robot lets a mere receiver have. The capture time in the packets is
 * there from the first frame and exact, but on the robot's clock: right only as far as both clocks are.
 */
export function captureToScreen(shown: ShownFrame, received: ReceivedFrame | undefined, clocks: Clocks): Delay {
  // Without a jitter buffer, Chromium may expect a frame on the screen before it has even come.
  const at = Math.max(shown.expectedDisplayTime, shown.presentationTime);
  if (clocks.now - at > STANDS_STILL) return undefined;
  const captured = shown.captureTime ?? capturedByPackets(shown, received, clocks);
  if (captured === undefined) return undefined;
  const delay = at - captured;
  return delay < 0 || delay > IMPLAUSIBLE ? "clocks differ" : delay;
}

/** From capture to the screen by two clocks, the robot's and the page's: for comparing with what else is measured so. */
export function captureToEye(
  shown: ShownFrame | undefined,
  received: ReceivedFrame | undefined,
  now: number,
): number | undefined {
  if (!shown) return undefined;
  const at = Math.max(shown.expectedDisplayTime, shown.presentationTime);
  const captured = capturedByPackets(shown, received, { now: 0, wall: 0 });
  return captured === undefined || now - at > STANDS_STILL ? undefined : at - captured;
}

/** On the page's clock. */
function capturedByPackets(shown: ShownFrame, received: ReceivedFrame | undefined, clocks: Clocks): number | undefined {
  if (received?.captureTimestamp === undefined) return undefined;
  // The receiver may be some frames ahead of the screen. RTP's 32 bits wrap, hence the shift to a signed difference.
  const ahead = (received.rtpTimestamp - (shown.rtpTimestamp ?? received.rtpTimestamp)) | 0;
  // A mixer on the way knows by how much the camera's clock is behind its own.
  const offset = received.senderCaptureTimeOffset ?? 0;
  const unix = received.captureTimestamp + offset - NTP_TO_UNIX - ahead / VIDEO_TICKS_PER_MS;
  return unix - clocks.wall + clocks.now;
}
