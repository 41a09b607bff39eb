import { describe, expect, it } from "vitest";
import { captureToScreen } from "./delay";

const NTP = 2_208_988_800_000;
/** The page has run for 5 s, and it is some day in 2023. */
const CLOCKS = { now: 5000, wall: 1_700_000_000_000 };

const packet = (ago: number, more = {}) => ({ rtpTimestamp: 9000, captureTimestamp: CLOCKS.wall - ago + NTP, ...more });
const frame = (more = {}) => ({ presentationTime: 4990, expectedDisplayTime: 5000, rtpTimestamp: 9000, ...more });

describe("the delay", () => {
  it("is from the packets' capture time to the screen", () => {
    expect(captureToScreen(frame(), packet(40), CLOCKS)).toBeCloseTo(40);
    expect(captureToScreen(frame({ expectedDisplayTime: 5016 }), packet(40), CLOCKS)).toBeCloseTo(56);
    expect(captureToScreen({ presentationTime: 0, expectedDisplayTime: 4900 }, packet(140), CLOCKS)).toBeCloseTo(40);
    expect(captureToScreen(frame({ expectedDisplayTime: 4900 }), packet(40), CLOCKS)).toBeCloseTo(30);
  });

  it("is that of the frame on the screen, though the receiver is ahead of it", () => {
    expect(captureToScreen(frame({ rtpTimestamp: 9000 - 3000 }), packet(40), CLOCKS)).toBeCloseTo(40 + 3000 / 90);
    const wrapped = { ...packet(40), rtpTimestamp: 1000 };
    expect(captureToScreen(frame({ rtpTimestamp: 2 ** 32 - 2000 }), wrapped, CLOCKS)).toBeCloseTo(40 + 3000 / 90);
  });

  it("is by the clock of the one who sends", () => {
    expect(captureToScreen(frame(), packet(540, { senderCaptureTimeOffset: 500 }), CLOCKS)).toBeCloseTo(40);
  });

  it("is the browser's own estimate where there is one, whatever the robot's clock says", () => {
    expect(captureToScreen(frame({ captureTime: 4967 }), packet(90_000), CLOCKS)).toBeCloseTo(33);
  });

  it.each([-1, -3_600_000, 60_001, 10 ** 9])("of %d ms is no delay", (ago) => {
    expect(captureToScreen(frame(), packet(ago), CLOCKS)).toBe("clocks differ");
  });

  it("is unknown without a capture time, and of a picture that stands still", () => {
    expect(captureToScreen(frame(), undefined, CLOCKS)).toBeUndefined();
    expect(captureToScreen(frame(), { rtpTimestamp: 9000 }, CLOCKS)).toBeUndefined();
    expect(
      captureToScreen({ presentationTime: 2990, expectedDisplayTime: 2999 }, packet(2040), CLOCKS),
    ).toBeUndefined();
  });
});
