import type { Page } from "@playwright/test";

/** What a page's receiver says of the picture that it gets. */
export interface Received {
  codec: string;
  decoded: number;
  keyframes: number;
  width: number;
  freezes: number;
  /** Seconds that a picture spent in the jitter buffer, on average. */
  buffered: number;
}

declare global {
  interface Window {
    /** Every peer connection that the page has made, the last one last. */
    peers: RTCPeerConnection[];
  }
}

/** What a viewer's browser is to be like. */
export interface Traits {
  /** The only video codec that it says it decodes. */
  codec?: "video/VP8";
  /** It is reached through relays only. */
  relayed?: boolean;
  /** The only way on which it reaches relays. */
  over?: "udp" | "tcp";
  /** It reaches the robot's relays only. */
  walled?: boolean;
}

/** Keeps a page's peer connections at hand, and makes its browser a special one. Call before the page is opened. */
export async function watchPeers(page: Page, traits: Traits = {}): Promise<void> {
  await page.addInitScript(keepPeers, traits);
}

/** Runs inside the page: everything that it needs stands in it. */
function keepPeers({ codec, relayed, over, walled }: Traits): void {
  window.peers = [];
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      const entries = configuration?.iceServers?.map((entry) => ({ ...entry, urls: [entry.urls].flat() }));
      const iceServers = over
        ? entries
            ?.map((entry) => ({ ...entry, urls: entry.urls.filter((url) => url.endsWith(`transport=${over}`)) }))
            .filter(({ urls }) => urls.length > 0)
        : entries;
      super({ ...configuration, ...(iceServers && { iceServers }), ...(relayed && { iceTransportPolicy: "relay" }) });
      window.peers.push(this);
    }
    override async setRemoteDescription(description: RTCSessionDescriptionInit): Promise<void> {
      const { type, sdp = "" } = description;
      const heard = walled ? sdp.replaceAll(/^a=candidate:.* typ host.*\r\n/gm, "") : sdp;
      await super.setRemoteDescription({ type, sdp: heard });
    }
  };
  if (codec === undefined) return;
  const capabilities = RTCRtpReceiver.getCapabilities.bind(RTCRtpReceiver);
  RTCRtpReceiver.getCapabilities = (kind) => {
    const all = capabilities(kind);
    if (kind !== "video" || !all) return all;
    return { ...all, codecs: all.codecs.filter(({ mimeType }) => mimeType === codec) };
  };
}

/** Nothing before the first packet. */
export async function received(page: Page): Promise<Received | undefined> {
  return page.evaluate(async () => {
    const report = await window.peers.at(-1)?.getStats();
    const video = [...(report?.values() ?? [])].find(({ type, kind }) => type === "inbound-rtp" && kind === "video");
    if (video === undefined) return undefined;
    return {
      codec: report?.get(video.codecId)?.mimeType ?? "",
      decoded: video.framesDecoded,
      keyframes: video.keyFramesDecoded,
      width: video.frameWidth,
      freezes: video.freezeCount,
      buffered: video.jitterBufferDelay / video.jitterBufferEmittedCount,
    };
  });
}

/** Both ends of the path that a page's picture comes by. */
export async function path(page: Page): Promise<{ local: string; remote: string; relayProtocol: string } | undefined> {
  return page.evaluate(async () => {
    const report = await window.peers.at(-1)?.getStats();
    const transport = [...(report?.values() ?? [])].find(({ type }) => type === "transport");
    const pair = report?.get(transport?.selectedCandidatePairId);
    if (!pair) return undefined;
    const local = report?.get(pair.localCandidateId);
    const remote = report?.get(pair.remoteCandidateId);
    return { local: local.candidateType, remote: remote.candidateType, relayProtocol: local.relayProtocol ?? "" };
  });
}
