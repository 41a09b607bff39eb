import { beforeEach, describe, expect, it } from "vitest";
import { asks, Bench, kinds, OFFER, WAY } from "./testbench";

let bench: Bench;

beforeEach(() => {
  bench = new Bench();
});

describe("joining", () => {
  it("asks for its robot as soon as there is a link, and answers the offer of the session it was given", () => {
    expect(bench.view.kind).toBe("connecting");
    expect(bench.tell({ type: "link", up: true })).toEqual([
      { type: "watch", ask: 1, watch: { version: 1, robot: "demo" } },
    ]);
    expect(kinds(bench.admit(1, "s1"))).toEqual(["admitted"]);
    expect(kinds(bench.hear("offer", "robot-1", OFFER, { session: "s1" }))).toEqual(["connect"]);
    expect(bench.session.session).toBe("s1");
    const description = { type: "answer", sdp: "v=0\r\n" } as const;
    expect(bench.tell({ type: "answer", connection: 1, description })).toEqual([
      { type: "send", message: ["answer", "robot-1", description, { session: "s1" }] },
    ]);
    expect(bench.tell({ type: "candidate", connection: 1, candidate: WAY })).toEqual([
      { type: "send", message: ["candidate", "robot-1", WAY, { session: "s1" }] },
    ]);
  });

  it("keeps an offer and candidates that overtake the reply", () => {
    bench.tell({ type: "link", up: true });
    expect(bench.hear("candidate", "robot-1", WAY, { session: "s1" })).toEqual([]);
    expect(bench.hear("offer", "robot-1", OFFER, { session: "s1" })).toEqual([]);
    expect(bench.hear("candidate", "robot-1", WAY, { session: "s1" })).toEqual([]);
    expect(kinds(bench.admit(1, "s1"))).toEqual(["admitted", "connect", "addCandidate", "addCandidate"]);
  });

  it("keeps candidates that overtake their offer", () => {
    bench.tell({ type: "link", up: true });
    bench.admit(1, "s1");
    expect(bench.hear("candidate", "robot-1", WAY, { session: "s1" })).toEqual([]);
    expect(kinds(bench.hear("offer", "robot-1", OFFER, { session: "s1" }))).toEqual(["connect", "addCandidate"]);
  });

  it("keeps no more of them than is sane", () => {
    bench.tell({ type: "link", up: true });
    for (let i = 0; i < 1000; i += 1) bench.hear("candidate", "robot-1", WAY, { session: "s1" });
    bench.admit(1, "s1");
    const outputs = bench.hear("offer", "robot-1", OFFER, { session: "s1" });
    expect(outputs.length).toBeLessThan(100);
  });

  it("ignores what belongs to another session", () => {
    bench.tell({ type: "link", up: true });
    bench.hear("offer", "robot-1", OFFER, { session: "s0" });
    expect(kinds(bench.admit(1, "s1"))).toEqual(["admitted"]);
    expect(bench.hear("offer", "robot-1", OFFER, { session: "s0" })).toEqual([]);
    bench.hear("offer", "robot-1", OFFER, { session: "s1" });
    expect(bench.hear("candidate", "robot-1", WAY, { session: "s0" })).toEqual([]);
    expect(kinds(bench.hear("candidate", "robot-1", WAY, { session: "s1" }))).toEqual(["addCandidate"]);
  });

  it("takes the offer of a broadcaster page, which names no session", () => {
    bench.tell({ type: "link", up: true });
    bench.admit(1, "s1");
    expect(kinds(bench.hear("offer", "page", OFFER))).toEqual(["connect"]);
    expect(kinds(bench.hear("candidate", "page", WAY, null))).toEqual(["addCandidate"]);
    expect(bench.tell({ type: "candidate", connection: 1, candidate: WAY })).toEqual([
      { type: "send", message: ["candidate", "page", WAY, { session: "s1" }] },
    ]);
  });

  it("ignores a reply to a question that is no longer open", () => {
    bench.tell({ type: "link", up: true });
    bench.hear("broadcaster", { robot: "demo" });
    expect(bench.admit(1, "s1")).toEqual([]);
    expect(kinds(bench.admit(2, "s2"))).toEqual(["admitted"]);
  });

  it("asks again when the robot was told of it but never offers", () => {
    bench.tell({ type: "link", up: true });
    bench.admit(1, "s1");
    expect(asks(bench.pass(5))).toEqual([]);
    expect(asks(bench.pass(3))).toHaveLength(1);
  });
});

describe("a robot that restarts", () => {
  it("shows the new picture as soon as the new robot offers", () => {
    bench.live();
    bench.pass(1);
    expect(bench.hear("broadcasterLeft", { robot: "demo" })).toEqual([]);
    bench.pass(1);
    expect(bench.view.kind).toBe("waiting");
    // It is back before the page could know that the old media is dead for good.
    expect(bench.hear("broadcaster", { robot: "demo" })).toEqual([
      { type: "watch", ask: 2, watch: { version: 1, robot: "demo", resume: "s1" } },
    ]);
    bench.admit(2, "s2", { peer: "robot-2" });
    expect(bench.view.kind).toBe("reconnecting");
    expect(bench.hear("offer", "robot-2", OFFER, { session: "s2" })).toMatchObject([
      { type: "close", connection: 1 },
      { type: "connect", connection: 2 },
    ]);
    bench.pass(1, "flows");
    expect(bench.view.kind).toBe("live");
    expect(bench.session.session).toBe("s2");
  });

  it("does not ask to resume what has been silent for long", () => {
    bench.live();
    bench.hear("broadcasterLeft", { robot: "demo" });
    expect(asks(bench.pass(6))).toEqual([]);
    expect(bench.hear("broadcaster", { robot: "demo" })).toEqual([
      { type: "watch", ask: 2, watch: { version: 1, robot: "demo" } },
    ]);
  });

  it("keeps the picture when only the robot's link to the server is lost", () => {
    bench.live();
    bench.hear("broadcasterLeft", { robot: "demo" });
    bench.pass(3, "flows");
    expect(bench.view.kind).toBe("live");
    bench.hear("broadcaster", { robot: "demo" });
    expect(kinds(bench.admit(2, "s1", { resumed: true, peer: "robot-9" }))).toEqual(["admitted"]);
    bench.pass(30, "flows");
    expect(bench.view.kind).toBe("live");
    expect(bench.tell({ type: "candidate", connection: 1, candidate: WAY })).toMatchObject([
      { message: ["candidate", "robot-9", WAY, { session: "s1" }] },
    ]);
  });

  it("is not confused by another robot", () => {
    bench.live();
    expect(bench.hear("broadcaster", { robot: "other" })).toEqual([]);
    bench.hear("broadcasterLeft", { robot: "other" });
    bench.pass(2);
    expect(bench.view.kind).toBe("stalled");
  });
});

describe("a server that restarts", () => {
  it("leaves the picture alone and binds it to the new link", () => {
    bench.live();
    expect(bench.tell({ type: "link", up: false })).toEqual([]);
    bench.pass(20, "flows");
    expect(bench.view.kind).toBe("live");
    expect(bench.tell({ type: "link", up: true })).toEqual([
      { type: "watch", ask: 2, watch: { version: 1, robot: "demo", resume: "s1" } },
    ]);
    expect(kinds(bench.admit(2, "s1", { resumed: true, peer: "robot-2" }))).toEqual(["admitted"]);
    expect(bench.pass(20, "flows")).toEqual([]);
    expect(bench.view.kind).toBe("live");
  });

  it("waits for the robot if it is back before it", () => {
    bench.live();
    bench.tell({ type: "link", up: false });
    bench.pass(1, "flows");
    bench.tell({ type: "link", up: true });
    bench.refuse(2, "robot_offline");
    bench.pass(1, "flows");
    expect(bench.view.kind).toBe("live");
    expect(bench.hear("broadcaster", { robot: "demo" })).toMatchObject([{ watch: { resume: "s1" } }]);
  });

  it("is not believed any more in what it said of the robot", () => {
    bench.tell({ type: "link", up: true });
    bench.refuse(1, "robot_offline");
    bench.tell({ type: "link", up: false });
    expect(bench.view.kind).toBe("connecting");
    bench.pass(5);
    expect(bench.view).toEqual({ kind: "failed", link: false });
    bench.tell({ type: "link", up: true });
    bench.refuse(2, "robot_offline");
    expect(bench.view.kind).toBe("waiting");
  });

  it("is believed in what it said of itself", () => {
    bench.tell({ type: "link", up: true });
    bench.refuse(1, "draining");
    bench.tell({ type: "link", up: false });
    expect(bench.view).toMatchObject({ kind: "refused", notice: { code: "draining" } });
  });

  it("says after a while that the server cannot be reached, if there is no picture either", () => {
    bench.pass(3);
    expect(bench.view).toEqual({ kind: "connecting" });
    bench.pass(2);
    expect(bench.view).toEqual({ kind: "failed", link: false });
  });
});

describe("refusals", () => {
  it("waits for a robot that is offline, and asks slowly all the same", () => {
    bench.tell({ type: "link", up: true });
    bench.refuse(1, "robot_offline");
    expect(bench.view).toMatchObject({ kind: "waiting", notice: { code: "robot_offline" } });
    expect(asks(bench.pass(9))).toEqual([]);
    expect(asks(bench.pass(2))).toHaveLength(1);
    bench.refuse(2, "robot_offline");
    expect(asks(bench.hear("broadcaster"))).toHaveLength(1);
  });

  it("does not ask again by itself where only a person can help", () => {
    bench.tell({ type: "link", up: true });
    bench.refuse(1, "token_expired");
    expect(bench.view).toMatchObject({ kind: "refused", final: true });
    expect(asks(bench.pass(60))).toEqual([]);
    expect(bench.hear("broadcaster", { robot: "demo" })).toEqual([]);
    expect(asks(bench.tell({ type: "retry" }))).toHaveLength(1);
  });

  it("closes the picture when leave to watch is withdrawn", () => {
    bench.live();
    expect(kinds(bench.hear("notice", { code: "token_revoked", message: "gone" }))).toEqual(["close"]);
    expect(bench.view).toMatchObject({ kind: "refused", final: true });
  });

  it("takes the robot's word on a session that has no picture yet, and on no other", () => {
    bench.tell({ type: "link", up: true });
    bench.admit(1, "s1");
    const full = { code: "full", message: "as many as it serves" } as const;
    bench.hear("notice", full, { session: "another" });
    expect(bench.view).toMatchObject({ kind: "connecting" });
    bench.hear("notice", full, { session: "s1" });
    expect(bench.view).toMatchObject({ kind: "refused", notice: full, final: false });
  });

  it("keeps a moving picture through any other notice", () => {
    bench.live();
    expect(bench.hear("notice", { code: "draining", message: "back soon" })).toEqual([]);
    expect(bench.hear("notice", { code: "malformed", message: "candidate" })).toEqual([]);
    bench.pass(1, "flows");
    expect(bench.view.kind).toBe("live");
  });

  it("tries again slowly when the robot is full", () => {
    bench.tell({ type: "link", up: true });
    bench.refuse(1, "full");
    expect(bench.view).toMatchObject({ kind: "refused", final: false });
    expect(asks(bench.pass(13))).toHaveLength(1);
  });
});

describe("a connection that breaks", () => {
  it("is replaced with growing delays, and the page says so after a few attempts", () => {
    bench.tell({ type: "link", up: true });
    const delays: number[] = [];
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      bench.admit(attempt, `s${attempt}`);
      bench.hear("offer", "robot-1", OFFER, { session: `s${attempt}` });
      bench.tell({ type: "peer", connection: attempt, state: "failed" });
      const from = bench.now;
      while (asks(bench.pass(0.25)).length === 0) expect(bench.now - from).toBeLessThan(10_000);
      delays.push(bench.now - from);
    }
    expect(delays).toEqual([750, 1500, 3000, 6000, 6000]);
    expect(bench.view).toEqual({ kind: "failed", link: true });
  });

  it("may be disconnected for a moment, but not for long", () => {
    bench.live();
    bench.tell({ type: "peer", connection: 1, state: "disconnected" });
    bench.pass(1, "flows");
    bench.tell({ type: "peer", connection: 1, state: "connected" });
    expect(asks(bench.pass(5, "flows"))).toEqual([]);
    bench.tell({ type: "peer", connection: 1, state: "disconnected" });
    expect(asks(bench.pass(1.75))).toEqual([]);
    expect(asks(bench.pass(0.5))).toHaveLength(1);
  });

  it("is not called live while what moves is of seconds ago", () => {
    bench.live();
    const sampled = (late?: number): string => {
      bench.pass(0.25, "flows");
      const counters = { bytes: (bench.bytes += 1000), decoded: (bench.decoded += 7) };
      bench.tell({ type: "sample", connection: 1, counters, ...(late !== undefined && { late }) });
      return bench.view.kind;
    };
    expect([400, 1900, 2600, 1500, 1100, 1500].map(sampled)).toEqual(["live", "live", "late", "late", "live", "live"]);
    sampled(3400);
    expect(bench.view).toEqual({ kind: "late", seconds: 3 });
    expect(sampled(), "nobody knows").toBe("late");
    expect(sampled(300)).toBe("live");
    expect(sampled(), "nobody knows").toBe("live");
  });

  it("is stalled before it is given up, and never called live", () => {
    bench.live();
    bench.pass(1.25);
    expect(bench.view).toEqual({ kind: "stalled", seconds: 1 });
    const [again] = asks(bench.pass(5));
    expect(again).toEqual({ type: "watch", ask: 2, watch: { version: 1, robot: "demo" } });
    expect(bench.view.kind).toBe("reconnecting");
  });

  it("with bytes but no frames gets a new stream first, then a new session", () => {
    bench.live();
    expect(kinds(bench.pass(3.5, "freezes"))).toEqual(["reattach"]);
    expect(kinds(bench.pass(6, "freezes"))).toEqual(["watch"]);
  });

  it("is live while hidden as long as frames are counted, however late", () => {
    bench.live();
    bench.tell({ type: "visible", visible: false });
    bench.now += 1300;
    expect(bench.view.kind).toBe("live");
    bench.now += 2000;
    expect(bench.view.kind).toBe("stalled");
  });

  it("is not judged while nobody can see it", () => {
    bench.live();
    bench.tell({ type: "visible", visible: false });
    expect(bench.pass(60)).toEqual([]);
    bench.tell({ type: "visible", visible: true });
    expect(bench.pass(2)).toEqual([]);
    expect(asks(bench.pass(5))).toHaveLength(1);
  });

  it("has no say any more once it is replaced", () => {
    bench.live();
    bench.hear("broadcaster", { robot: "demo" });
    bench.admit(2, "s2");
    bench.hear("offer", "robot-2", OFFER, { session: "s2" });
    expect(bench.tell({ type: "peer", connection: 1, state: "failed" })).toEqual([]);
    expect(bench.tell({ type: "candidate", connection: 1, candidate: WAY })).toEqual([]);
  });
});

it("keeps the old camera's picture until the new one offers", () => {
  bench.live();
  expect(bench.tell({ type: "target", target: { robot: "demo", camera: "rear" } })).toEqual([
    { type: "watch", ask: 2, watch: { version: 1, robot: "demo", camera: "rear" } },
  ]);
  bench.pass(1, "flows");
  expect(bench.view.kind).toBe("live");
  bench.admit(2, "s2", { camera: "rear" });
  expect(kinds(bench.hear("offer", "robot-1", OFFER, { session: "s2" }))).toEqual(["close", "connect"]);
});

it("does not call the picture of another camera live for long", () => {
  bench.live();
  bench.tell({ type: "target", target: { robot: "demo", camera: "rear" } });
  bench.pass(2, "flows");
  expect(bench.view.kind).toBe("reconnecting");
  bench.refuse(2, "full");
  bench.pass(1, "flows");
  expect(bench.view.kind).toBe("refused");
});

it("stays away once it was sent away, until somebody tries again", () => {
  bench.live();
  bench.hear("notice", { code: "sent_away", message: "" });
  bench.tell({ type: "link", up: false });
  expect(asks(bench.tell({ type: "link", up: true }))).toEqual([]);
  expect(bench.view.kind).toBe("refused");
  expect(asks(bench.tell({ type: "retry" }))).toHaveLength(1);
});

it("gives a slow camera the time it needs between two frames", () => {
  const video = { projection: { kind: "flat" }, rungs: [{ width: 640, height: 360, fps: 1, bitrate: 1 }] } as const;
  bench.tell({ type: "link", up: true });
  bench.admit(1, "s1", { video: { ...video, rungs: [...video.rungs] } });
  bench.hear("offer", "robot-1", OFFER, { session: "s1" });
  bench.tell({ type: "frame", connection: 1 });
  bench.pass(2);
  expect(bench.view.kind).toBe("live");
});

describe("reporting", () => {
  const reception = { fps: 30, bitrate: 3e6, delay: 100, freezes: 0, relayed: false };

  it("tells the server of the session that is shown, and of no other connection", () => {
    bench.live();
    expect(bench.tell({ type: "reception", connection: 1, reception })).toEqual([
      { type: "send", message: ["reception", reception, { session: "s1" }] },
    ]);
    expect(bench.tell({ type: "reception", connection: 7, reception })).toEqual([]);
  });

  it("keeps nothing for later when there is no link", () => {
    bench.live();
    bench.tell({ type: "link", up: false });
    expect(bench.tell({ type: "reception", connection: 1, reception })).toEqual([]);
    expect(kinds(bench.tell({ type: "link", up: true }))).toEqual(["watch"]);
  });
});
