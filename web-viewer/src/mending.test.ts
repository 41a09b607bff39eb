import { beforeEach, describe, expect, it } from "vitest";
import { asks, Bench, kinds, OFFER, WAY } from "./testbench";

const ABOUT = { session: "s1" };
const RESTART = { version: 1, robot: "demo", resume: "s1", restart: true };

let bench: Bench;

beforeEach(() => {
  bench = new Bench();
  bench.live();
});

const change = () => asks(bench.tell({ type: "networkChanged" }));
const disconnect = () => bench.tell({ type: "peer", connection: 1, state: "disconnected" });

/** Takes the path away; says when, in seconds from then, and what was asked for. */
function withoutPath(seconds: number): { at: number; restart: boolean; resume: string | undefined }[] {
  const since = bench.now;
  disconnect();
  const heard = [];
  while (bench.now < since + seconds * 1000) {
    for (const { ask, watch } of asks(bench.pass(0.25))) {
      const { restart = false, resume } = watch;
      heard.push({ at: (bench.now - since) / 1000, restart, resume });
      if (restart) bench.admit(ask, "s1", { resumed: true });
    }
  }
  return heard;
}

describe("another offer for the session whose connection is open", () => {
  it("is answered on the same connection, and the picture goes on", () => {
    expect(bench.hear("offer", "robot-7", OFFER, ABOUT)).toEqual([
      { type: "renegotiate", connection: 1, description: OFFER },
    ]);
    const description = { type: "answer", sdp: "v=0\r\n" } as const;
    expect(bench.tell({ type: "answer", connection: 1, description })).toEqual([
      { type: "send", message: ["answer", "robot-7", description, ABOUT] },
    ]);
    expect(bench.pass(10, "flows")).toEqual([]);
    expect(bench.view.kind).toBe("live");
  });

  it.each([
    ["while a question is open", () => bench.hear("broadcaster", { robot: "demo" })],
    ["while nobody is asked", () => bench.hear("broadcasterLeft", { robot: "demo" })],
    ["while another session's offer is awaited", () => [bench.hear("broadcaster"), bench.admit(2, "s2")]],
  ])("is taken with its candidates %s", (_, meanwhile) => {
    meanwhile();
    const early = bench.hear("candidate", "robot-1", WAY, ABOUT);
    expect([...early, ...bench.hear("offer", "robot-1", OFFER, ABOUT)]).toEqual([
      { type: "addCandidate", connection: 1, candidate: WAY },
      { type: "renegotiate", connection: 1, description: OFFER },
    ]);
  });

  it("leaves an awaited offer awaited", () => {
    bench.hear("broadcaster");
    bench.admit(2, "s2");
    bench.hear("offer", "robot-1", OFFER, ABOUT);
    expect(kinds(bench.hear("offer", "robot-1", OFFER, { session: "s2" }))).toEqual(["close", "connect"]);
  });

  it("replaces a connection that has failed", () => {
    bench.tell({ type: "peer", connection: 1, state: "failed" });
    bench.pass(1);
    bench.admit(2, "s1", { resumed: false });
    expect(kinds(bench.hear("offer", "robot-1", OFFER, ABOUT))).toEqual(["close", "connect"]);
  });

  it("that the browser refuses counts as a failed connection", () => {
    bench.hear("offer", "robot-1", OFFER, ABOUT);
    bench.tell({ type: "peer", connection: 1, state: "failed" });
    expect(asks(bench.pass(1))).toEqual([{ type: "watch", ask: 2, watch: { version: 1, robot: "demo" } }]);
  });
});

it("an offer that names no session replaces the connection, as does one for another session", () => {
  expect(kinds(bench.hear("offer", "page", OFFER))).toEqual(["close", "connect"]);
  bench.hear("broadcaster");
  bench.admit(2, "s2");
  expect(kinds(bench.hear("offer", "page", OFFER, { session: "s2" }))).toEqual(["close", "connect"]);
});

describe("a path that breaks", () => {
  it("is asked to be replaced three times, then a new session is asked for", () => {
    expect(withoutPath(17)).toEqual([
      { at: 2, restart: true, resume: "s1" },
      { at: 7, restart: true, resume: "s1" },
      { at: 12, restart: true, resume: "s1" },
    ]);
    expect(asks(bench.pass(1))).toEqual([{ type: "watch", ask: 5, watch: { version: 1, robot: "demo" } }]);
    expect(bench.view.kind).toBe("reconnecting");
  });

  it("is mended by a restart, and each incident counts for itself", () => {
    expect(withoutPath(6)).toEqual([{ at: 2, restart: true, resume: "s1" }]);
    expect(bench.view.kind).toBe("reconnecting");
    bench.hear("offer", "robot-1", OFFER, ABOUT);
    bench.tell({ type: "peer", connection: 1, state: "connecting" });
    bench.tell({ type: "peer", connection: 1, state: "connected" });
    // The keyframe may take a while.
    expect(bench.pass(2, "freezes")).toEqual([]);
    expect(bench.pass(20, "flows")).toEqual([]);
    expect(bench.view.kind).toBe("live");
    expect(withoutPath(13)).toHaveLength(3);
  });

  it("is asked about again if the state only passes through connecting", () => {
    withoutPath(3);
    bench.tell({ type: "peer", connection: 1, state: "connecting" });
    expect(asks(bench.pass(5))).toMatchObject([{ watch: RESTART }]);
  });

  it("is mended as soon as media arrives, whatever the state says", () => {
    withoutPath(3);
    expect(bench.pass(2, "freezes")).toEqual([]);
    expect(bench.pass(20, "flows")).toEqual([]);
  });

  it("that is mended but brings no media is no reason to mend it again", () => {
    withoutPath(3);
    bench.tell({ type: "peer", connection: 1, state: "connected" });
    expect(asks(bench.pass(3.75))).toEqual([]);
    const [ask] = asks(bench.pass(2));
    expect(ask?.watch).toEqual({ version: 1, robot: "demo" });
  });

  it("is mended on through what the server has to say to everybody", () => {
    withoutPath(6);
    bench.hear("notice", { code: "draining", message: "back soon" });
    expect(asks(bench.pass(2))).toMatchObject([{ watch: RESTART }]);
  });

  it("is not mended any more once the robot itself has given the session up", () => {
    withoutPath(4);
    bench.hear("notice", { code: "connection_failed", message: "no way" }, ABOUT);
    const [ask] = asks(bench.pass(1));
    expect(ask?.watch).toEqual({ version: 1, robot: "demo" });
  });

  it("gives way to the new session that the robot offers instead", () => {
    disconnect();
    expect(asks(bench.pass(2.5))).toEqual([{ type: "watch", ask: 2, watch: RESTART }]);
    bench.admit(2, "s2");
    expect(asks(bench.pass(5))).toEqual([]);
    expect(kinds(bench.hear("offer", "robot-1", OFFER, { session: "s2" }))).toEqual(["close", "connect"]);
    bench.pass(1, "flows");
    expect(bench.view.kind).toBe("live");
  });

  it("is asked about on the next link if there is none now", () => {
    bench.tell({ type: "link", up: false });
    disconnect();
    expect(bench.pass(8)).toEqual([]);
    expect(asks(bench.tell({ type: "link", up: true }))).toEqual([{ type: "watch", ask: 2, watch: RESTART }]);
    // It may not have left the device before this link broke too.
    for (let loss = 1; loss <= 5; loss += 1) {
      bench.tell({ type: "link", up: false });
      expect(asks(bench.tell({ type: "link", up: true }))).toMatchObject([{ watch: RESTART }]);
    }
  });

  it("is asked about once more after a question without a reply", () => {
    disconnect();
    const [first] = asks(bench.pass(2.5));
    bench.pass(4.5);
    bench.tell({ type: "reply", ask: first?.ask ?? 0, reply: undefined });
    expect(asks(bench.pass(1))).toMatchObject([{ watch: RESTART }]);
  });
});

describe("another network", () => {
  it("is a reason to look for another path once, however often it is told of", () => {
    expect(change()).toEqual([{ type: "watch", ask: 2, watch: RESTART }]);
    bench.admit(2, "s1", { resumed: true });
    bench.pass(0.5, "flows");
    expect(change()).toEqual([]);
    expect(bench.pass(20, "flows")).toEqual([]);
    expect(bench.view.kind).toBe("live");
    expect(change()).toHaveLength(1);
  });

  it("keeps the session of a picture that has been still for a while", () => {
    bench.pass(3.5);
    expect(change()).toMatchObject([{ watch: RESTART }]);
    bench.admit(2, "s1", { resumed: true });
    expect(asks(bench.pass(4.5))).toEqual([]);
    expect(asks(bench.pass(1))).toMatchObject([{ watch: RESTART }]);
    bench.admit(3, "s1", { resumed: true });
    // The keyframe may take a while.
    expect(bench.pass(2, "freezes")).toEqual([]);
  });

  it("asks for a new session where there is none to keep", () => {
    bench.tell({ type: "peer", connection: 1, state: "failed" });
    expect(change()).toEqual([{ type: "watch", ask: 2, watch: { version: 1, robot: "demo" } }]);
    const fresh = new Bench();
    fresh.tell({ type: "link", up: true });
    fresh.admit(1, "s1");
    fresh.hear("offer", "robot-1", OFFER, ABOUT);
    const [ask] = asks(fresh.tell({ type: "networkChanged" }));
    expect(ask?.watch).toEqual({ version: 1, robot: "demo" });
  });

  it("changes nothing where only a person can help", () => {
    bench.hear("notice", { code: "token_revoked", message: "gone" });
    expect(change()).toEqual([]);
  });
});
