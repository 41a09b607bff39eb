import { expect, it } from "vitest";
import { apart } from "./apart";

const CAPTURE_TIME = "a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time\r\n";
const section = (kind: string, more: string, stream = "panocast"): string =>
  `m=${kind} 9 UDP/TLS/RTP/SAVPF 111\r\n${more}a=msid:${stream} ${kind}\r\na=ssrc:7 msid:${stream} ${kind}\r\n`;
const HEAD = "v=0\r\na=msid-semantic: WMS panocast\r\n";

it("sound that says when it was captured gets a stream of its own", () => {
  const offer = HEAD + section("video", CAPTURE_TIME) + section("audio", CAPTURE_TIME);
  expect(apart(offer)).toBe(HEAD + section("video", CAPTURE_TIME) + section("audio", CAPTURE_TIME, "sound"));
});

it("other sound stays with its picture", () => {
  const offer = HEAD + section("audio", "") + section("video", CAPTURE_TIME);
  expect(apart(offer)).toBe(offer);
});
