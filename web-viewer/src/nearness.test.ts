import { expect, it } from "vitest";
import { near } from "./nearness";

const OFFER =
  "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\na=rtcp-fb:96 rrtr\r\n";

it("the answer takes up what was offered", () => {
  const answer = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\n";
  const taken = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 rrtr\r\na=rtcp-fb:96 nack pli\r\n";
  expect(near(answer, OFFER)).toBe(taken);
  expect(near(taken, OFFER)).toBe(taken);
});

it("nothing is said of what was not offered, or not taken", () => {
  const other = "m=video 9 UDP/TLS/RTP/SAVPF 98\r\na=rtcp-fb:98 nack\r\n";
  expect(near(other, OFFER)).toBe(other);
  const answer = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtcp-fb:96 nack\r\n";
  expect(near(answer, OFFER.replace("rrtr", "goog-remb"))).toBe(answer);
});
