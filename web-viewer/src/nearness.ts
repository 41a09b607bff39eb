/**
 * Has the browser learn how far away the robot is. Pure.
 *
 * Browsers that know the round trip ask again for what they miss as soon as that allows; those that do not wait for 100 ms, in
 * which a picture is seen to stand. They measure it (RFC 3611) if their answer says so, and leave it out by themselves.
 */
const OFFERED = /^a=rtcp-fb:(\d+) rrtr\r?$/gm;

/** The answer, with all that was offered of it. */
export function near(answer: string, offer: string): string {
  let sdp = answer;
  for (const [, format] of offer.matchAll(OFFERED)) {
    if (sdp.includes(`a=rtcp-fb:${format} rrtr`)) continue;
    sdp = sdp.replace(`a=rtcp-fb:${format} nack\r\n`, `$&a=rtcp-fb:${format} rrtr\r\n`);
  }
  return sdp;
}
