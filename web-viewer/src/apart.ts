/** Keeps the browser from lining up sound and picture by itself, where the page can do it. Pure. */

/** By which a receiver can tell how long sound took. */
const CAPTURE_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time";

/**
 * The robot's offer with its sound in a stream of its own, if it is to say when it was captured.
 *
 * Chromium holds a picture back for the sound of the same stream even while nobody hears that.
 */
export function apart(sdp: string): string {
  return sdp
    .split(/^(?=m=)/m)
    .map((section) => (section.startsWith("m=audio") && section.includes(CAPTURE_TIME) ? renamed(section) : section))
    .join("");
}

function renamed(section: string): string {
  return section.replaceAll(/^(a=(?:ssrc:\d+ )?msid:)\S+/gm, "$1sound");
}
