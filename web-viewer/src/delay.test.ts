import { describe, expect, it } from "vitest";
import { captureToScreen, type ReceivedFrame, type ShownFrame } from "./delay";

const NTP = 2_208_988_800_000;
const HOUR = 3_600_000;
/** The page has run for 5 s, and it is some day in 2023. */
const CLOCKS = { now: 5000, origin: 1_700_000_000_000 };
const NOW = CLOCKS.origin + CLOCKS.now;

const packet = (ago: number, more = {}) => ({ rtpTimestamp: 9000, captureTimestamp: NOW - ago + NTP, ...more });
const frame = (more = {}) => ({ presentationTime: 4990, expectedDisplayTime: 5000, rtpTimestamp: 9000, ...more });
const delay = (shown: ShownFrame, received: ReceivedFrame | undefined, ahead: number | undefined = 0) =>
  captureToScreen([shown], received, ahead, CLOCKS);

describe("the delay", () => {
  it("is from the packets' capture time to the screen", () => {
    expect(delay(frame(), packet(40))).toBeCloseTo(40);
    expect(delay(frame({ expectedDisplayTime: 5016 }), packet(40))).toBeCloseTo(56);
    expect(delay({ presentationTime: 0, expectedDisplayTime: 4900 }, packet(140))).toBeCloseTo(40);
    expect(delay(frame({ expectedDisplayTime: 4900 }), packet(40))).toBeCloseTo(30);
  });

  it("is that of the frame on the screen, though the receiver is ahead of it", () => {
    expect(delay(frame({ rtpTimestamp: 9000 - 3000 }), packet(40))).toBeCloseTo(40 + 3000 / 90);
    const wrapped = { ...packet(40), rtpTimestamp: 1000 };
    expect(delay(frame({ rtpTimestamp: 2 ** 32 - 2000 }), wrapped)).toBeCloseTo(40 + 3000 / 90);
  });

  it("is by the clock of the one who sends", () => {
    expect(delay(frame(), packet(540, { senderCaptureTimeOffset: 500 }))).toBeCloseTo(40);
  });

  it.each([HOUR, -HOUR])("is the same when the robot's clock is %d ms ahead", (ahead) => {
    expect(delay(frame(), packet(40 - ahead), ahead)).toBeCloseTo(40);
  });

  it("is that of most frames", () => {
    const shown = [10, 0, 400, 5, 20].map((late) =>
      frame({ expectedDisplayTime: 4500 + late, presentationTime: 4500, rtpTimestamp: 9000 - 45_000 }),
    );
    expect(captureToScreen(shown, packet(40), 0, CLOCKS)).toBeCloseTo(50);
  });

  it("is the browser's own estimate where the packets say nothing", () => {
    expect(delay(frame({ captureTime: 4967 }), undefined)).toBeCloseTo(33);
    expect(delay(frame({ captureTime: 4967 }), { rtpTimestamp: 9000 }, undefined)).toBeCloseTo(33);
    expect(delay(frame({ captureTime: 4900 }), packet(33))).toBeCloseTo(33);
  });

  it.each([-1, -HOUR, 60_001, 10 ** 9])("of %d ms is no delay", (ago) => {
    expect(delay(frame(), packet(ago))).toBe("unknown");
  });

  it("is unknown while the difference of the clocks is, and without a capture time", () => {
    expect(captureToScreen([frame()], packet(40), undefined, CLOCKS)).toBe("unknown");
    expect(delay(frame(), undefined)).toBe("unknown");
    expect(delay(frame(), { rtpTimestamp: 9000 })).toBe("unknown");
  });

  it("of a picture that stands still is none", () => {
    expect(captureToScreen([], packet(40), 0, CLOCKS)).toBeUndefined();
    expect(delay({ presentationTime: 2990, expectedDisplayTime: 2999 }, packet(2040))).toBeUndefined();
  });
});
