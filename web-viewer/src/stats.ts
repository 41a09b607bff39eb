/** What the browser counts about the picture, in the terms that people ask in. Pure. */
import type { Delay } from "./delay";
import type { Played } from "./lipsync";
import type { Counters } from "./liveness";
import type { Report } from "./offset";
import { t } from "./text";

export interface Sample {
  at: number;
  counters: Counters;
  received: number;
  lost: number;
  /** Nothing where the browser does not count them. */
  dropped: number | undefined;
  freezes: number | undefined;
  retransmissions: number;
  keyframeRequests: number;
  keyframes: number | undefined;
  jitterSeconds: number;
  bufferSeconds: number;
  bufferEmitted: number;
  decodeSeconds: number;
  width: number;
  height: number;
  codec: string;
  roundTripSeconds: number | undefined;
  route: string;
  relayed: boolean;
  played: Played;
  /** What the robot said last of its clock. */
  report: Report | undefined;
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
  const told = all.find((entry) => entry["type"] === "remote-outbound-rtp" && entry["kind"] === "video");
  const playout = all.find((entry) => entry["type"] === "media-playout");
  const transport = all.find((entry) => entry["type"] === "transport");
  const pair =
    entries.get(text(transport?.["selectedCandidatePairId"])) ??
    all.find((entry) => entry["type"] === "candidate-pair" && entry["nominated"] === true);
  const remote = entries.get(text(pair?.["remoteCandidateId"]));
  const local = entries.get(text(pair?.["localCandidateId"]));
  const relayed = local?.["candidateType"] === "relay" || remote?.["candidateType"] === "relay";
  // Of a relay, what matters is how this side reaches it.
  const protocol = text(local?.["relayProtocol"] ?? local?.["protocol"]).toUpperCase();
  const roundTripSeconds =
    pair?.["currentRoundTripTime"] === undefined ? undefined : count(pair["currentRoundTripTime"]);
  return {
    at,
    counters: { bytes: count(video["bytesReceived"]), decoded: count(video["framesDecoded"]) },
    received: count(video["packetsReceived"]),
    lost: count(video["packetsLost"]),
    dropped: counted(video["framesDropped"]),
    freezes: counted(video["freezeCount"]),
    retransmissions: count(video["nackCount"]),
    keyframeRequests: count(video["pliCount"]),
    keyframes: counted(video["keyFramesDecoded"]),
    jitterSeconds: count(video["jitter"]),
    bufferSeconds: count(video["jitterBufferDelay"]),
    bufferEmitted: count(video["jitterBufferEmittedCount"]),
    decodeSeconds: count(video["totalDecodeTime"]),
    width: count(video["frameWidth"]),
    height: count(video["frameHeight"]),
    codec: text(entries.get(text(video["codecId"]))?.["mimeType"]).replace(/^video\//, ""),
    roundTripSeconds,
    relayed,
    route: pair ? [t(relayed ? "relayed" : "direct"), protocol].filter(Boolean).join(", ") : "",
    played: { seconds: count(playout?.["totalPlayoutDelay"]), samples: count(playout?.["totalSamplesCount"]) },
    report:
      told?.["remoteTimestamp"] === undefined || roundTripSeconds === undefined
        ? undefined
        : {
            left: count(told["remoteTimestamp"]),
            came: count(told["timestamp"]),
            roundTrip: roundTripSeconds * 1000,
          },
  };
}

/** `measure` is what a plot of the line is made of, where it is worth one. */
export type Line = readonly [name: string, value: string, measure?: number | undefined];

/** Each line, over the time since the sample before. */
export function linesFor(now: Sample, before: Sample | undefined, { toScreen: delay, soundLag }: Delays): Line[] {
  const since: Sample = before ?? { ...now, at: now.at - 1000 };
  const seconds = Math.max(0.001, (now.at - since.at) / 1000);
  const frames = now.counters.decoded - since.counters.decoded;
  const bits = (now.counters.bytes - since.counters.bytes) * 8;
  const emitted = now.bufferEmitted - since.bufferEmitted;
  return [
    [t("Picture"), now.width > 0 ? `${now.width} × ${now.height}` : "–"],
    typeof delay === "number"
      ? [t("Capture to screen"), `${delay.toFixed(0)} ms`, delay]
      : [t("Capture to screen"), delay ? t(delay) : "–"],
    ...(soundLag === undefined ? [] : [[t("Sound"), apartBy(soundLag)] satisfies Line]),
    before
      ? [t("Frames"), t("{count} per second", { count: (frames / seconds).toFixed(0) }), frames / seconds]
      : [t("Frames"), "–"],
    before ? [t("Bitrate"), bitrate(bits / seconds), bits / seconds] : [t("Bitrate"), "–"],
    [t("Codec"), now.codec || "–"],
    [t("Route"), now.route || "–"],
    [
      t("Round trip"),
      now.roundTripSeconds === undefined ? "–" : `${(now.roundTripSeconds * 1000).toFixed(0)} ms`,
      now.roundTripSeconds,
    ],
    [t("Jitter"), `${(now.jitterSeconds * 1000).toFixed(1)} ms`],
    [t("Buffered for"), ...perFrame(now.bufferSeconds - since.bufferSeconds, emitted)],
    [t("Decoded in"), ...perFrame(now.decodeSeconds - since.decodeSeconds, frames)],
    [
      t("Packets lost"),
      `${now.lost}${share(now.lost - since.lost, now.received - since.received)}`,
      now.lost - since.lost,
    ],
    [t("Asked again"), `${now.retransmissions}`],
    [t("Keyframes"), t("{count}, {asked} asked for", { count: now.keyframes ?? "–", asked: now.keyframeRequests })],
    [t("Frames dropped"), `${now.dropped ?? "–"}`],
    [t("Freezes"), `${now.freezes ?? "–"}`],
  ];
}

function apartBy(lag: number): string {
  return t(lag < 0 ? "{ms} ms before the picture" : "{ms} ms after the picture", { ms: Math.abs(lag).toFixed(0) });
}

function perFrame(seconds: number, frames: number): [value: string, measure?: number] {
  return frames > 0 ? [`${((seconds * 1000) / frames).toFixed(1)} ms`, seconds / frames] : ["–"];
}

/** Of the last second; a count alone does not say whether it still goes on. */
function share(lost: number, received: number): string {
  return lost > 0 ? t(", now {share} %", { share: ((100 * lost) / (lost + Math.max(0, received))).toFixed(1) }) : "";
}

function bitrate(bitsPerSecond: number): string {
  return bitsPerSecond >= 1e6
    ? `${(bitsPerSecond / 1e6).toFixed(2)} Mbit/s`
    : `${(bitsPerSecond / 1e3).toFixed(0)} kbit/s`;
}

function counted(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

function count(value: unknown): number {
  return counted(value) ?? 0;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
