/**
 * What media servers take, and the change from one way to the other. Loaded by those alone whose robot is crowded, so that of
 * the page's own files it needs none.
 */
import type { Connection } from "./connection";
import type { LiveKitLink } from "./livekit";
import type { MediaLink, MediaLinkEvents } from "./media-link";
import type { Admission } from "./protocol.gen";

/** Whether what is made beside the picture has something to show is looked at so often. */
const LOOK = 60;

/** Makes what an admission's pictures come by; `direct` makes a connection that answers a robot, `livekit` loads what LiveKit needs. */
export async function linkMaker(
  { media }: Admission,
  direct: (events: MediaLinkEvents) => Connection,
  livekit: () => Promise<{ LiveKitLink: typeof LiveKitLink }>,
): Promise<(events: MediaLinkEvents) => MediaLink> {
  if (typeof media === "object") {
    const { LiveKitLink: Link } = await livekit();
    return (events) => new Link(media.livekit.url, media.livekit.token, events, untilReady);
  }
  return (events) => {
    const connection = direct(events);
    offer(connection.peer).then(
      (sdp) => events.offer({ type: "offer", sdp }),
      (error: unknown) => {
        console.warn("no offer can be made", error);
        events.state("failed");
      },
    );
    return connection;
  };
}

/** This side's own addresses are not waited for: the server's are known. */
async function offer(peer: RTCPeerConnection): Promise<string> {
  for (const kind of ["video", "audio"]) peer.addTransceiver(kind, { direction: "recvonly" });
  await peer.setLocalDescription(await peer.createOffer());
  return peer.localDescription?.sdp ?? "";
}

/** Waits until a connection has a picture to show, or is not waited for any more. */
export async function untilReady(
  { link, stream }: { link: Pick<MediaLink, "stats">; stream: MediaStream | undefined },
  wanted: () => boolean,
): Promise<boolean> {
  // A picture that nobody sees may not be decoded.
  const unseen = document.createElement("video");
  unseen.muted = true;
  unseen.srcObject = stream ?? null;
  unseen.play().catch((error: unknown) => console.debug("not played ahead", error));
  try {
    while (wanted()) {
      // One look after the other.
      // oxlint-disable-next-line no-await-in-loop
      if (hasPictures(await link.stats())) return wanted();
      // oxlint-disable-next-line no-await-in-loop
      await new Promise((resolve) => setTimeout(resolve, LOOK));
    }
    return false;
  } finally {
    unseen.srcObject = null;
  }
}

function hasPictures(report: Iterable<[string, Record<string, unknown>]>): boolean {
  return [...report].some(([, entry]) => Number(entry["framesDecoded"] ?? 0) > 0);
}
