import { describe, expect, it } from "vitest";
import { NTP_TO_UNIX } from "./delay";
import { captureToEar, deviceDelay, LipSync } from "./lipsync";

const TICK = 250;

/** A receiver that does as it is told, but not at once, and never faster than it can. */
class Receiver {
  readonly sync = new LipSync();
  now = 0;
  picture = 30;
  sound = 75;
  jitter: readonly number[] = [0];
  holds = new Set<number>();
  #shown = 0;

  /** By how much sound is late. */
  get lag(): number {
    return Math.max(this.sound, this.sync.hold.sound) - (this.picture + this.#shown);
  }

  pass(seconds: number, sees = true, hears = true): this {
    for (let tick = 0; tick < seconds * 4; tick += 1) {
      this.now += TICK;
      const { picture, sound } = this.sync.hold;
      this.#shown += Math.max(-25, Math.min(25, picture - this.#shown));
      const seen = this.picture + this.#shown + (this.jitter[tick % this.jitter.length] ?? 0);
      const heard = Math.max(this.sound, sound);
      this.sync.observe(sees ? seen : undefined, hears ? heard : undefined, this.now);
      this.holds.add(this.sync.hold.picture);
    }
    return this;
  }

  listen(audible: boolean): this {
    this.sync.listen(audible, this.now);
    return this;
  }
}

const fits = (receiver: Receiver): void => expect(Math.abs(receiver.lag)).toBeLessThanOrEqual(10);

describe("the picture", () => {
  it("is not held back while nobody listens", () => {
    expect(new Receiver().pass(10).sync.hold).toEqual({ picture: 0, sound: 0 });
  });

  it("waits for the sound at once when somebody listens, and no longer than that", () => {
    const receiver = new Receiver().pass(2).listen(true);
    expect(receiver.sync.hold.picture).toBe(45);
    fits(receiver.pass(2));
    expect(receiver.listen(false).sync.hold.picture).toBe(0);
    expect(receiver.pass(5).lag).toBe(45);
    expect(receiver.sync.lag).toBe(45);
  });

  it("waits anew when the sound has come to take longer", () => {
    const receiver = new Receiver().pass(2).listen(true).pass(3);
    receiver.sound = 180;
    fits(receiver.pass(5));
    receiver.sound = 60;
    fits(receiver.pass(5));
  });

  it("does not follow what is only a screen's rhythm", () => {
    const receiver = new Receiver().pass(2).listen(true).pass(5);
    receiver.jitter = [0, 16, 0, 8, 16];
    receiver.holds.clear();
    receiver.pass(60);
    expect(receiver.holds.size).toBe(1);
  });

  it("waits for so long at most", () => {
    const receiver = new Receiver();
    receiver.sound = 2000;
    expect(receiver.pass(2).listen(true).pass(20).sync.hold.picture).toBe(300);
  });

  it("does not wait for sound that has stopped, and waits again when it comes back", () => {
    const receiver = new Receiver().pass(2).listen(true).pass(3);
    receiver.pass(1, true, false);
    expect([receiver.sync.hold.picture, receiver.sync.lag]).toEqual([0, undefined]);
    fits(receiver.pass(5));
  });

  it("that nobody sees changes nothing", () => {
    const receiver = new Receiver().pass(2).listen(true).pass(3);
    receiver.sound = 150;
    expect(receiver.pass(10, false).sync.hold.picture).toBe(45);
  });
});

it("sound waits for a picture that takes longer", () => {
  const receiver = new Receiver();
  receiver.picture = 200;
  fits(receiver.pass(2).listen(true).pass(20));
  expect(receiver.sync.hold.picture).toBe(0);
  receiver.picture = 20;
  fits(receiver.pass(20));
  expect(receiver.sync.hold.sound).toBe(0);
});

describe("from capture to the ear", () => {
  const clocks = { now: 5000, origin: 1_700_000_000_000 };
  const sound = { timestamp: clocks.origin + 4990, rtpTimestamp: 1, captureTimestamp: 1000 + NTP_TO_UNIX };

  it("sound takes until it was handed on, and then through the device", () => {
    expect(captureToEar(sound, 30, clocks)).toBe(4990 + 30 - 1000);
  });

  it("is unknown without a capture time, and of sound that has stopped", () => {
    expect(captureToEar(undefined, 30, clocks)).toBeUndefined();
    expect(captureToEar({ timestamp: sound.timestamp, rtpTimestamp: 1 }, 30, clocks)).toBeUndefined();
    expect(captureToEar({ ...sound, timestamp: clocks.origin + 1000 }, 30, clocks)).toBeUndefined();
  });

  it("the device's share is that of late, or nothing while nothing plays", () => {
    expect(deviceDelay({ seconds: 960, samples: 48_000 }, undefined)).toBe(20);
    expect(deviceDelay({ seconds: 960 + 1440, samples: 96_000 }, { seconds: 960, samples: 48_000 })).toBe(30);
    expect(deviceDelay({ seconds: 0, samples: 0 }, undefined)).toBe(0);
  });
});
