// Runs in the page before anything of its own does, and notes what its viewer sees and what its receiver says.
(() => {
  const SAMPLE_MS = 200;
  const NTP_TO_UNIX = 2208988800000;
  const peers = [];
  const eye = { frames: [], samples: [], words: [] };
  window.eye = eye;
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...options) {
      super(...options);
      peers.push({ peer: this, decoded: 0, bytes: 0, lost: 0 });
    }
  };
  const now = () => performance.timeOrigin + performance.now();

  const inbound = async (known) => {
    const report = await known.peer.getStats();
    const all = [...report.values()];
    const video = all.find(({ type, kind }) => type === "inbound-rtp" && kind === "video");
    if (!video) return undefined;
    // A connection that has ended says nothing more: what it said last counts.
    [known.decoded, known.bytes, known.lost] = [video.framesDecoded, video.bytesReceived, video.packetsLost];
    const transport = all.find(({ type }) => type === "transport");
    const pair = report.get(transport?.selectedCandidatePairId);
    const local = report.get(pair?.localCandidateId);
    const source = known.peer.getReceivers().find(({ track }) => track.kind === "video");
    const captured = source?.getSynchronizationSources()[0]?.captureTimestamp;
    return {
      width: video.frameWidth ?? 0,
      path: local ? `${local.candidateType} ${local.relayProtocol ?? local.protocol}` : "",
      remote: report.get(pair?.remoteCandidateId)?.candidateType ?? "",
      delay: captured === undefined ? null : now() - (captured - NTP_TO_UNIX),
    };
  };

  const sample = async () => {
    const last = peers.at(-1);
    const seen = last && (await inbound(last).catch(() => undefined));
    const sum = (key) => peers.reduce((total, known) => total + known[key], 0);
    const { state = "", session = "" } = document.body.dataset;
    eye.samples.push({
      at: now(),
      state,
      session,
      connections: peers.length,
      decoded: sum("decoded"),
      bytes: sum("bytes"),
      lost: sum("lost"),
      width: seen?.width ?? 0,
      path: seen?.path ?? "",
      remote: seen?.remote ?? "",
      delay: seen?.delay ?? null,
    });
  };

  document.addEventListener("DOMContentLoaded", () => {
    const video = document.querySelector("#video");
    const shown = () => {
      eye.frames.push(now());
      video.requestVideoFrameCallback(shown);
    };
    video?.requestVideoFrameCallback(shown);
    const read = () => {
      const [badge, problem] = ["#badge", "#problem"].map((name) => document.querySelector(name)?.textContent ?? "");
      eye.words.push({ at: now(), badge, problem });
    };
    read();
    const options = { childList: true, characterData: true, subtree: true };
    for (const name of ["#badge", "#problem"]) {
      const node = document.querySelector(name);
      if (node) new MutationObserver(read).observe(node, options);
    }
    setInterval(sample, SAMPLE_MS);
  });
})();
