/** What the tests of the session share. */
import { expect } from "vitest";
import type { Admission, Code, ToViewer } from "./protocol.gen";
import { Session } from "./session";
import type { Input, Output, Surroundings } from "./steps";

export const OFFER = { type: "offer", sdp: "v=0\r\n" } as const;
export const WAY = { candidate: "candidate:1 1 udp 1 192.0.2.1 5 typ host", sdpMid: "0" };

/** A session, a clock that only moves when told to, and everything the session has asked for. */
export class Bench {
  now = 1000;
  connection = 0;
  bytes = 0;
  decoded = 0;
  readonly session: Session;

  constructor(surroundings: Surroundings = {}) {
    this.session = new Session({ robot: "demo" }, 1000, { random: () => 0.5, ...surroundings });
  }

  tell(input: Input): Output[] {
    this.session.handle(input, this.now);
    const outputs = this.session.takeOutputs();
    for (const output of outputs) if (output.type === "connect") this.connection = output.connection;
    return outputs;
  }

  hear(...message: ToViewer): Output[] {
    return this.tell({ type: "message", message });
  }

  admit(ask: number, session: string, changes: Partial<Admission> = {}): Output[] {
    return this.tell({ type: "reply", ask, reply: { ...ADMISSION, session, ...changes } });
  }

  refuse(ask: number, code: Code): Output[] {
    return this.tell({ type: "reply", ask, reply: { error: { code, message: "no" } } });
  }

  /** Lets time pass; the picture moves meanwhile if told so. Returns what was asked for. */
  pass(seconds: number, media: "flows" | "stops" | "freezes" = "stops"): Output[] {
    const outputs: Output[] = [];
    for (let tick = 1; tick <= seconds * 4; tick += 1) {
      this.now += 250;
      if (media !== "stops") this.bytes += 1000;
      if (media === "flows") {
        this.decoded += 7;
        outputs.push(...this.tell({ type: "frame", connection: this.connection }));
      }
      if (tick % 4 === 0) {
        const counters = { bytes: this.bytes, decoded: this.decoded };
        outputs.push(...this.tell({ type: "sample", connection: this.connection, counters }));
      }
      outputs.push(...this.tell({ type: "tick" }));
    }
    return outputs;
  }

  /** Link, admission, offer, and five seconds of moving picture under session s1. */
  live(changes: Partial<Admission> = {}): void {
    this.tell({ type: "link", up: true });
    this.admit(1, "s1", changes);
    this.hear("offer", "robot-1", OFFER, { session: "s1" });
    this.tell({ type: "peer", connection: 1, state: "connected" });
    this.pass(5, "flows");
    expect(this.view.kind).toBe("live");
  }

  get view() {
    return this.session.view(this.now);
  }
}

export const ADMISSION: Admission = {
  ok: true,
  session: "s1",
  robot: "demo",
  camera: "main",
  peer: "robot-1",
  resumed: false,
  ice_servers: [],
  video: { projection: { kind: "flat" }, rungs: [] },
  media: "p2p",
};

export const kinds = (outputs: Output[]): string[] => outputs.map((output) => output.type);
export const asks = (outputs: Output[]) => outputs.filter((output) => output.type === "watch");
