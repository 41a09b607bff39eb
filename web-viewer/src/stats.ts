/** What the browser counts about the picture, in the terms that people ask in. Pure but for `StatsPanel`. */
import type { Delay } from "./delay";
import { element } from "./dom";
import type { Played } from "./lipsync";
import type { Counters } from "./liveness";

export interface Sample {
  at: number;
  counters: Counters;
  received: number;
  lost: number;
  dropped: number;
  freezes: number;
  retransmissions: number;
  keyframeRequests: number;
  keyframes: number;
  jitterSeconds: number;
  bufferSeconds: number;
  bufferEmitted: number;
  decodeSeconds: number;
  width: number;
  height: number;
  codec: string;
  roundTripSeconds: number | undefined;
  route: string;
  played: Played;
}

/** What is known of the time that picture and sound take. */
export interface Delays {
  toScreen: Delay;
  /** How much later sound comes than its picture; nothing without sound. */
  soundLag: number | undefined;
}

/** Nothing before the first video packet. */
export function sampleOf(report: Iterable<[string, Record<string, unknown>]>, at: number): Sample | undefined {
  const entries = new Map(report);
  const all = [...entries.values()];
  const video = all.find((entry) => entry["type"] === "inbound-rtp" && entry["kind"] === "video");
  if (!video) return undefined;
  const playout = all.find((entry) => entry["type"] === "media-playout");
  const transport = all.find((entry) => entry["type"] === "transport");
  const pair =
    entries.get(text(transport?.["selectedCandidatePairId"])) ??
    all.find((entry) => entry["type"] === "candidate-pair" && entry["nominated"] === true);
  const remote = entries.get(text(pair?.["remoteCandidateId"]));
  const local = entries.get(text(pair?.["localCandidateId"]));
  const relayed = local?.["candidateType"] === "relay" || remote?.["candidateType"] === "relay";
  const protocol = text(local?.["protocol"]).toUpperCase();
  return {
    at,
    counters: { bytes: count(video["bytesReceived"]), decoded: count(video["framesDecoded"]) },
    received: count(video["packetsReceived"]),
    lost: count(video["packetsLost"]),
    dropped: count(video["framesDropped"]),
    freezes: count(video["freezeCount"]),
    retransmissions: count(video["nackCount"]),
    keyframeRequests: count(video["pliCount"]),
    keyframes: count(video["keyFramesDecoded"]),
    jitterSeconds: count(video["jitter"]),
    bufferSeconds: count(video["jitterBufferDelay"]),
    bufferEmitted: count(video["jitterBufferEmittedCount"]),
    decodeSeconds: count(video["totalDecodeTime"]),
    width: count(video["frameWidth"]),
    height: count(video["frameHeight"]),
    codec: text(entries.get(text(video["codecId"]))?.["mimeType"]).replace(/^video\//, ""),
    roundTripSeconds: pair?.["currentRoundTripTime"] === undefined ? undefined : count(pair["currentRoundTripTime"]),
    route: pair ? [relayed ? "relayed" : "direct", protocol].filter(Boolean).join(", ") : "",
    played: { seconds: count(playout?.["totalPlayoutDelay"]), samples: count(playout?.["totalSamplesCount"]) },
  };
}

/** Name and value of each line, over the time since the sample before. */
export function linesFor(
  now: Sample,
  before: Sample | undefined,
  { toScreen: delay, soundLag }: Delays,
): [name: string, value: string][] {
  const since: Sample = before ?? { ...now, at: now.at - 1000 };
  const seconds = Math.max(0.001, (now.at - since.at) / 1000);
  const frames = now.counters.decoded - since.counters.decoded;
  const emitted = now.bufferEmitted - since.bufferEmitted;
  return [
    ["Picture", now.width > 0 ? `${now.width} × ${now.height}` : "–"],
    ["Capture to screen", typeof delay === "number" ? `${delay.toFixed(0)} ms` : (delay ?? "–")],
    ...(soundLag === undefined ? [] : [["Sound", apartBy(soundLag)] satisfies [string, string]]),
    ["Frames", `${(frames / seconds).toFixed(0)} per second`],
    ["Bitrate", bitrate(((now.counters.bytes - since.counters.bytes) * 8) / seconds)],
    ["Codec", now.codec || "–"],
    ["Route", now.route || "–"],
    ["Round trip", now.roundTripSeconds === undefined ? "–" : `${(now.roundTripSeconds * 1000).toFixed(0)} ms`],
    ["Jitter", `${(now.jitterSeconds * 1000).toFixed(1)} ms`],
    ["Buffered for", perFrame(now.bufferSeconds - since.bufferSeconds, emitted)],
    ["Decoded in", perFrame(now.decodeSeconds - since.decodeSeconds, frames)],
    ["Packets lost", `${now.lost}${share(now.lost - since.lost, now.received - since.received)}`],
    ["Asked again", `${now.retransmissions}`],
    ["Keyframes", `${now.keyframes}, ${now.keyframeRequests} asked for`],
    ["Frames dropped", `${now.dropped}`],
    ["Freezes", `${now.freezes}`],
  ];
}

export class StatsPanel {
  readonly #panel = element("stats", HTMLElement);
  readonly #list = element("stats-list", HTMLDListElement);
  #before: Sample | undefined;

  /** Returns whether it is shown now. */
  toggle(): boolean {
    this.#panel.hidden = !this.#panel.hidden;
    return !this.#panel.hidden;
  }

  show(sample: Sample, delays: Delays): void {
    if (!this.#panel.hidden) {
      const rows = linesFor(sample, this.#before, delays).flatMap(([name, value]) => [
        cell("dt", name),
        cell("dd", value),
      ]);
      this.#list.replaceChildren(...rows);
    }
    this.#before = sample;
  }

  reset(): void {
    this.#before = undefined;
  }
}

function apartBy(lag: number): string {
  return `${Math.abs(lag).toFixed(0)} ms ${lag < 0 ? "before" : "after"} the picture`;
}

function perFrame(seconds: number, frames: number): string {
  return frames > 0 ? `${((seconds * 1000) / frames).toFixed(1)} ms` : "–";
}

/** Of the last second; a count alone does not say whether it still goes on. */
function share(lost: number, received: number): string {
  return lost > 0 ? `, now ${((100 * lost) / (lost + Math.max(0, received))).toFixed(1)} %` : "";
}

function cell(tag: "dt" | "dd", content: string): HTMLElement {
  const made = document.createElement(tag);
  made.textContent = content;
  return made;
}

function bitrate(bitsPerSecond: number): string {
  return bitsPerSecond >= 1e6
    ? `${(bitsPerSecond / 1e6).toFixed(2)} Mbit/s`
    : `${(bitsPerSecond / 1e3).toFixed(0)} kbit/s`;
}

function count(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
