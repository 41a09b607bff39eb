/**
 * How far sound is behind the picture, and by how much to hold back whichever is early. Pure.
 *
 * A picture is shown as soon as it is decoded; sound waits for its late packets and for the device that plays it. While
 * nobody listens, that is nobody's concern. Who listens gets a later picture rather than one that does not fit.
 */
import { median, NTP_TO_UNIX, type Clocks, type ReceivedFrame } from "./delay";
import type { Millis } from "./retry";

/** What the receiver says of the sound that it handed on last; `timestamp` counts from 1970, on the page's clock. */
export interface ReceivedSound extends ReceivedFrame {
  timestamp: number;
}

/** What the device that plays has been given, and for how long that took until it was heard, both since the beginning. */
export interface Played {
  seconds: number;
  samples: number;
}

/** By how much the receiver is to delay what it gets; no less than it must. */
export interface Hold {
  picture: Millis;
  sound: Millis;
}

/** Above this, robots can no more be steered by what is seen; sound over a slow wireless headset comes late then. */
const MAX_HOLD: Millis = 300;
/** Nobody sees so little, and measuring is no more exact. */
const TOLERATED: Millis = 10;
/** So many in a row are judged together: a screen shows a picture up to a frame later than meant. */
const OBSERVED = 6;
/** The receiver gets to what it was told by a tenth of a second in each. */
const CHANGE_PER_MS = 0.1;
const CHANGE_SEEN_AFTER: Millis = 500;
/** Sound that has not come for so long has stopped. */
const STOPPED: Millis = 3000;

/** From capture to the ear. Only comparing it with the picture's way means anything: two clocks are in it. */
export function captureToEar(sound: ReceivedSound | undefined, device: Millis, clocks: Clocks): Millis | undefined {
  if (sound?.captureTimestamp === undefined) return undefined;
  const handedOn = sound.timestamp - clocks.origin;
  if (clocks.now - handedOn > STOPPED) return undefined;
  return handedOn + device - (sound.captureTimestamp + (sound.senderCaptureTimeOffset ?? 0) - NTP_TO_UNIX);
}

/** How long the device has taken lately, per sample. */
export function deviceDelay(now: Played, before: Played | undefined): Millis {
  const samples = now.samples - (before?.samples ?? 0);
  return samples > 0 ? (1000 * (now.seconds - (before?.seconds ?? 0))) / samples : 0;
}

export class LipSync {
  #audible = false;
  /** Of the picture; below zero, of the sound. */
  #hold: Millis = 0;
  #lags: Millis[] = [];
  #lag: Millis | undefined;
  /** What was told to the receiver shows from here on. */
  #showsAt: Millis = 0;

  get hold(): Hold {
    return { picture: Math.max(0, this.#hold), sound: Math.max(0, -this.#hold) };
  }

  /** How much later sound is heard than its picture is seen, as far as that is known. */
  get lag(): Millis | undefined {
    return this.#lag;
  }

  /** Whether somebody listens. */
  listen(audible: boolean, now: Millis): void {
    if (audible === this.#audible) return;
    this.#audible = audible;
    if (!audible) this.#set(0, now);
    else if (this.#lag !== undefined) this.#follow(this.#lag, now);
  }

  /** How long both took from capture until they were seen and heard, by the same two clocks. */
  observe(picture: Millis | undefined, sound: Millis | undefined, now: Millis): void {
    if (sound === undefined) {
      this.#set(0, now);
      this.#lag = undefined;
    }
    // A picture that nobody sees is as late as it likes.
    if (picture === undefined || sound === undefined || now < this.#showsAt) return;
    this.#lags = [...this.#lags, sound - picture].slice(-OBSERVED);
    this.#lag = median(this.#lags);
    if (this.#audible && this.#lags.length === OBSERVED) this.#follow(this.#lag, now);
  }

  #follow(lag: Millis, now: Millis): void {
    if (Math.abs(lag) <= TOLERATED) return;
    this.#set(Math.round(Math.max(-MAX_HOLD, Math.min(MAX_HOLD, this.#hold + lag))), now);
  }

  #set(hold: Millis, now: Millis): void {
    const change = Math.abs(hold - this.#hold);
    if (change === 0) return;
    if (this.#lag !== undefined) this.#lag -= hold - this.#hold;
    this.#hold = hold;
    this.#lags = [];
    this.#showsAt = now + change / CHANGE_PER_MS + CHANGE_SEEN_AFTER;
  }
}
