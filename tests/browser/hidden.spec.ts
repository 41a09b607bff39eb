import { createSocket } from "node:dgram";

import { expect, test } from "@playwright/test";

import { frames, recordFrames } from "./support/frames.ts";
import { Programs } from "./support/programs.ts";
import { path, watchPeers } from "./support/receiver.ts";

// A small window, since drawing in software is what takes the time here.
test.use({ viewport: { width: 400, height: 300 } });

/** On all of the machine's addresses, as by default. */
const ROBOT = `
[media]
listen = "[::]:0"

[[cameras]]
id = "main"
source = "test"
width = 480
height = 240
bitrate = 500000
`;

/** Multicast DNS (RFC 6762). */
const [GROUP, PORT] = ["224.0.0.251", 5353];

let programs: Programs;

test.beforeAll(async () => {
  programs = await Programs.start();
  await programs.startRobot(ROBOT);
});
test.afterAll(() => programs.stop());

/** Whether what is said to the group is heard on this machine. */
function hasMulticast(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket({ type: "udp4", reuseAddr: true });
    const done = (heard: boolean): void => {
      clearTimeout(timer);
      socket.close();
      resolve(heard);
    };
    const timer = setTimeout(() => done(false), 1000);
    const word = Buffer.from("Panocast's tests ask whether multicast works");
    socket.on("error", () => done(false));
    socket.on("message", (message) => message.equals(word) && done(true));
    socket.bind(PORT, () => {
      try {
        socket.addMembership(GROUP);
        socket.send(word, PORT, GROUP);
      } catch {
        done(false);
      }
    });
  });
}

for (const [what, walled] of [
  ["shows its address by speaking to the robot", false],
  ["is found by its name", true],
] as const) {
  test(`a viewer whose browser hides its addresses ${what}`, async ({ page }) => {
    test.skip(walled && !(await hasMulticast()), "no multicast on this machine");
    await watchPeers(page, { walled });
    await recordFrames(page);
    await page.goto(`${programs.url}/watch/demo`);
    await expect.poll(async () => (await frames(page)).count).toBeGreaterThan(20);
    const ends = await page.evaluate(() =>
      [window.peers.at(-1)?.localDescription, window.peers.at(-1)?.remoteDescription].map((description) =>
        Array.from(description?.sdp.matchAll(/^a=candidate:(?:\S+ ){4}(\S+)/gm) ?? [], ([, address]) => address ?? ""),
      ),
    );
    const [viewer = [], robot = []] = ends;
    expect(viewer.length).toBeGreaterThan(0);
    expect(viewer.filter((address) => !address.endsWith(".local"))).toEqual([]);
    // Who does not know the robot's addresses has to be spoken to first.
    expect(robot.length > 0).toBe(!walled);
    if (walled) expect((await path(page))?.remote).toBe("prflx");
  });
}
