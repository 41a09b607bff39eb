import { beforeEach, describe, expect, it } from "vitest";
import type { Output } from "./steps";
import { asks, Bench, kinds, OFFER } from "./testbench";

const LIVEKIT = { media: { livekit: { url: "ws://sfu", token: "t" } } } as const;

let bench: Bench;

beforeEach(() => {
  bench = new Bench({ takes: ["livekit", "whep"] });
});

const sent = (outputs: Output[]) => outputs.flatMap((output) => (output.type === "send" ? [output.message] : []));

/** The picture comes from the robot, and is to come from the media server. */
function moving(): void {
  bench.live();
  bench.hear("move", { session: "s1" });
}

/** It comes from the media server. */
function joined(): void {
  bench.tell({ type: "link", up: true });
  bench.admit(1, "s1", LIVEKIT);
  bench.tell({ type: "peer", connection: 1, state: "connected" });
  bench.connection = 1;
  bench.pass(5, "flows");
  expect(bench.view.kind).toBe("live");
}

describe("a crowd that goes to a media server", () => {
  it("is sent there at once when it is there already", () => {
    const [ask] = bench.tell({ type: "link", up: true });
    expect(ask).toMatchObject({ watch: { takes: ["livekit", "whep"] } });
    expect(bench.admit(1, "s1", LIVEKIT)).toMatchObject([
      { type: "admitted" },
      { type: "join", connection: 1, beside: false, admission: LIVEKIT },
    ]);
    expect(asks(bench.pass(7))).toEqual([]);
  });

  it("keeps the picture until the other is ready", () => {
    bench.live();
    expect(bench.hear("move", { session: "s1" })).toEqual([
      { type: "watch", ask: 2, watch: { version: 1, robot: "demo", takes: ["livekit", "whep"], beside: true } },
    ]);
    expect(bench.admit(2, "s2", LIVEKIT)).toMatchObject([
      { type: "admitted" },
      { type: "join", connection: 2, beside: true },
    ]);
    bench.connection = 1;
    bench.pass(1, "flows");
    expect(bench.view.kind).toBe("live");
    expect(bench.session.session).toBe("s1");
    expect(bench.tell({ type: "ready", connection: 2 })).toEqual([
      { type: "show", connection: 2 },
      { type: "close", connection: 1 },
      { type: "send", message: ["arrived", { session: "s2" }] },
    ]);
    expect(bench.session.session).toBe("s2");
    expect(bench.view.kind).toBe("live");
    expect(bench.tell({ type: "ready", connection: 2 })).toEqual([]);
  });

  it("asks for its place there as soon as there is one, where it was refused", () => {
    bench.tell({ type: "link", up: true });
    bench.refuse(1, "full");
    expect(asks(bench.hear("move", { session: "s1" }))).toHaveLength(1);
  });

  it("remembers it while another question is open", () => {
    bench.live();
    bench.tell({ type: "want", rung: 1 });
    expect(asks(bench.hear("move", { session: "s1" }))).toEqual([]);
    bench.admit(2, "s1", { resumed: true });
    expect(asks(bench.pass(1, "flows"))).toMatchObject([{ watch: { beside: true } }]);
  });

  it("goes on with what is shown when the server takes it so", () => {
    moving();
    bench.admit(2, "s2", LIVEKIT);
    bench.connection = 1;
    const [ask] = asks(bench.tell({ type: "want", rung: 1 }));
    expect(ask).toMatchObject({ watch: { resume: "s1" } });
    expect(kinds(bench.admit(3, "s1", { resumed: true }))).toEqual(["close", "admitted"]);
    expect(bench.tell({ type: "ready", connection: 2 })).toEqual([]);
    expect(bench.session.session).toBe("s1");
  });

  it("does not mind what was said of another session", () => {
    bench.live();
    expect(bench.hear("move", { session: "s0" })).toEqual([]);
  });
});

describe("a media server that cannot be reached", () => {
  const direct = [{ type: "watch", watch: { version: 1, robot: "demo", resume: "s1", takes: [] } }];

  it("leaves the picture as it is, and the server knows", () => {
    moving();
    bench.admit(2, "s2", LIVEKIT);
    bench.connection = 1;
    bench.pass(1, "flows");
    const outputs = bench.tell({ type: "peer", connection: 2, state: "failed" });
    expect(kinds(outputs)).toEqual(["close", "watch"]);
    expect(asks(outputs)).toMatchObject(direct);
    expect(bench.view.kind).toBe("live");
  });

  it("is not waited for", () => {
    moving();
    bench.admit(2, "s2", LIVEKIT);
    bench.connection = 1;
    expect(asks(bench.pass(8, "flows"))).toEqual([]);
    expect(asks(bench.pass(1, "flows"))).toMatchObject(direct);
  });

  it("may say so itself", () => {
    moving();
    bench.admit(2, "s2", { media: "whep" });
    const outputs = bench.hear("notice", { code: "connection_failed", message: "no" }, { session: "s2" });
    expect(asks(outputs)).toMatchObject(direct);
  });
});

describe("a crowd that comes back", () => {
  it("keeps the picture until the robot's is ready", () => {
    joined();
    bench.hear("move", { session: "s1" });
    bench.admit(2, "s2");
    expect(bench.hear("offer", "robot-1", OFFER, { session: "s2" })).toMatchObject([
      { type: "connect", connection: 2, beside: true },
    ]);
    bench.connection = 1;
    bench.pass(1, "flows");
    const outputs = bench.tell({ type: "ready", connection: 2 });
    expect(kinds(outputs)).toEqual(["show", "close", "send"]);
    expect(sent(outputs)).toEqual([["arrived", { session: "s2" }]]);
  });

  it("asks the robot at once when the media server has gone", () => {
    joined();
    const outputs = bench.tell({ type: "peer", connection: 1, state: "closed" });
    expect(asks(outputs)).toEqual([{ type: "watch", ask: 2, watch: { version: 1, robot: "demo", takes: [] } }]);
    bench.admit(2, "s2");
    expect(kinds(bench.hear("offer", "robot-1", OFFER, { session: "s2" }))).toEqual(["close", "connect"]);
  });

  it("asks for the same place there when only the link to the server was lost", () => {
    joined();
    bench.tell({ type: "link", up: false });
    const [ask] = bench.tell({ type: "link", up: true });
    expect(ask).toMatchObject({ watch: { resume: "s1", takes: ["livekit", "whep"] } });
    expect(kinds(bench.admit(2, "s1", { ...LIVEKIT, resumed: true }))).toEqual(["admitted"]);
  });
});

describe("a server that speaks WHEP", () => {
  it("is made an offer", () => {
    bench.tell({ type: "link", up: true });
    bench.admit(1, "s1", { media: "whep" });
    const description = { type: "offer", sdp: "v=0\r\n" } as const;
    expect(bench.tell({ type: "offer", connection: 1, description })).toEqual([
      { type: "send", message: ["offer", "robot-1", description, { session: "s1" }] },
    ]);
    const answer = { type: "answer", sdp: "v=0\r\n" } as const;
    expect(bench.hear("answer", "robot-1", answer, { session: "s1" })).toEqual([
      { type: "answered", connection: 1, description: answer },
    ]);
  });
});
