import { expect, test } from "@playwright/test";

import { Programs } from "./support/programs.ts";

// A page that knows nothing of Panocast, only the draft.
test.use({ viewport: { width: 400, height: 300 } });

let programs: Programs;

test.beforeAll(async () => {
  programs = await Programs.start();
  await programs.startRobot();
});
test.afterAll(() => programs.stop());

test("a browser that speaks WHEP sees the robot until it leaves", async ({ page }) => {
  await page.goto(`${programs.url}/healthz`);
  const played = await page.evaluate(async () => {
    const peer = new RTCPeerConnection();
    peer.addTransceiver("video", { direction: "recvonly" });
    peer.addTransceiver("audio", { direction: "recvonly" });
    const video = document.createElement("video");
    video.muted = true;
    document.body.append(video);
    peer.addEventListener("track", ({ track }) => {
      if (track.kind === "video") {
        video.srcObject = new MediaStream([track]);
        void video.play();
      }
    });
    const offer = await peer.createOffer();
    await peer.setLocalDescription(offer);
    const ask = () =>
      fetch("/whep/demo", { method: "POST", headers: { "content-type": "application/sdp" }, body: offer.sdp ?? "" });
    let response = await ask();
    const until = performance.now() + 10_000;
    while (response.status !== 201 && performance.now() < until) {
      // The robot may still be on its way.
      // oxlint-disable-next-line no-await-in-loop
      response = await ask();
    }
    const answer = await response.text();
    await peer.setRemoteDescription({ type: "answer", sdp: answer });
    let frames = 0;
    await new Promise<void>((resolve) => {
      const count = () => {
        frames += 1;
        if (frames < 60) video.requestVideoFrameCallback(count);
        else resolve();
      };
      video.requestVideoFrameCallback(count);
    });
    const stats = [...(await peer.getStats()).values()] as { type: string; kind?: string; freezeCount?: number }[];
    const location = response.headers.get("location") ?? "";
    const left = await fetch(location, { method: "DELETE" });
    const again = await fetch(location, { method: "DELETE" });
    peer.close();
    return {
      answer,
      width: video.videoWidth,
      freezes: stats.find(({ type, kind }) => type === "inbound-rtp" && kind === "video")?.freezeCount,
      statuses: [response.status, left.status, again.status],
    };
  });
  expect(played.statuses).toEqual([201, 200, 404]);
  expect(played.width).toBeGreaterThan(0);
  // What keeps a picture going where packets get lost, and says how much the path carries, under the page's own numbers.
  for (const line of [/^a=extmap:\d+ \S*transport-wide-cc/m, /^a=rtpmap:\d+ rtx/m, /^a=rtcp-fb:\d+ nack\r?$/m]) {
    expect(played.answer).toMatch(line);
  }
});
