import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Connection } from "./connection";
import type { Description } from "./protocol.gen";

/** A browser's peer connection as far as `Connection` goes, which writes down what is done to it, and in which order. */
class FakePeer extends EventTarget {
  static last: FakePeer;
  static log: string[] = [];
  static refuses = "";
  /** What its answers say besides. */
  static takesUp = "";
  /** It takes no answers but those that it has made. */
  static isStubborn = false;
  connectionState = "new";
  localDescription: { sdp: string } | undefined;
  #remote = "";
  readonly transceivers = [
    {
      extensions: [
        { uri: "known", direction: "sendrecv" },
        { uri: "abs-capture-time", direction: "stopped" },
      ],
      getHeaderExtensionsToNegotiate() {
        return this.extensions;
      },
      setHeaderExtensionsToNegotiate(extensions: { uri: string; direction: string }[]) {
        FakePeer.log.push(`extensions ${extensions.map(({ direction }) => direction).join(" ")}`);
      },
    },
    // A browser without this control, and one in which it fails.
    {},
    {
      getHeaderExtensionsToNegotiate(): never {
        throw new Error("no");
      },
      setHeaderExtensionsToNegotiate: () => undefined,
    },
  ];

  constructor() {
    super();
    FakePeer.last = this;
  }

  async setRemoteDescription({ sdp }: Description): Promise<void> {
    FakePeer.log.push(`offer ${nameOf(sdp)}`);
    await later();
    if (nameOf(sdp) === FakePeer.refuses) throw new Error("refused");
    this.#remote = nameOf(sdp);
  }

  async createAnswer(): Promise<{ sdp: string }> {
    FakePeer.log.push("create");
    await later();
    return { sdp: `answer to ${this.#remote}${FakePeer.takesUp}` };
  }

  async setLocalDescription(description: { sdp: string }): Promise<void> {
    await later();
    if (FakePeer.isStubborn && description.sdp.includes("rrtr")) throw new Error("not mine");
    this.localDescription = description;
  }

  addIceCandidate({ usernameFragment = "" }: RTCIceCandidateInit): Promise<void> {
    FakePeer.log.push(`candidate ${usernameFragment}`);
    return Promise.resolve();
  }

  getTransceivers(): unknown[] {
    return this.transceivers;
  }

  close(): void {
    FakePeer.log.push("close");
  }
}

class FakeStream {
  readonly #tracks: unknown[] = [];
  addTrack(track: unknown): void {
    this.#tracks.push(track);
  }
  getTracks(): unknown[] {
    return this.#tracks;
  }
}

const later = (): Promise<void> => new Promise((done) => setTimeout(done));
const offer = (name: string): Description => ({ type: "offer", sdp: `v=0\r\na=ice-ufrag:${name}\r\n` });
const nameOf = (sdp: string): string => /ufrag:(\S+)/.exec(sdp)?.[1] ?? "";
const way = (usernameFragment: string) => ({ candidate: "candidate:1", sdpMid: "0", usernameFragment });

const streams: unknown[] = [];
let connection: Connection;

beforeEach(() => {
  vi.stubGlobal("RTCPeerConnection", FakePeer);
  vi.stubGlobal("MediaStream", FakeStream);
  vi.spyOn(console, "warn").mockReturnValue();
  vi.spyOn(console, "debug").mockReturnValue();
  FakePeer.log = [];
  FakePeer.refuses = "";
  FakePeer.takesUp = "";
  FakePeer.isStubborn = false;
  streams.length = 0;
  connection = new Connection([], {
    answer: ({ sdp }) => FakePeer.log.push(sdp),
    offer: () => undefined,
    candidate: () => undefined,
    state: (state) => FakePeer.log.push(`state ${state}`),
    stream: (stream) => streams.push(stream),
    attitude: () => undefined,
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

const TAKEN = (name: string): string[] => [
  `offer ${name}`,
  `candidate ${name}`,
  "extensions sendrecv sendrecv",
  "create",
  `answer to ${name}`,
];

describe("offers", () => {
  it("are answered one after the other, and candidates wait for their own", async () => {
    const first = connection.accept(offer("a"));
    const second = connection.accept(offer("b"));
    connection.addCandidate(way("b"));
    connection.addCandidate(way("a"));
    await Promise.all([first, second]);
    expect(FakePeer.log).toEqual([...TAKEN("a"), ...TAKEN("b")]);
  });

  it("that are not taken count as a failed connection, and those behind them go nowhere", async () => {
    await connection.accept(offer("a"));
    FakePeer.log = [];
    FakePeer.refuses = "b";
    await Promise.all([connection.accept(offer("b")), connection.accept(offer("c"))]);
    expect(FakePeer.log).toEqual(["offer b", "state failed"]);
  });

  it.each([
    [false, "a=rtcp-fb:96 nack\r\na=rtcp-fb:96 rrtr\r\n"],
    [true, "a=rtcp-fb:96 nack\r\n"],
  ])("have the browser measure the round trip, unless it is stubborn: %s", async (isStubborn, feedback) => {
    FakePeer.takesUp = " a=rtcp-fb:96 nack\r\n";
    FakePeer.isStubborn = isStubborn;
    const { type, sdp } = offer("a");
    await connection.accept({ type, sdp: `${sdp}a=rtcp-fb:96 rrtr\r\n` });
    expect(FakePeer.log.at(-1)).toBe(`answer to a ${feedback}`);
  });

  it("have no effect once the connection is closed", async () => {
    const taken = connection.accept(offer("a"));
    connection.close();
    await Promise.all([taken, connection.accept(offer("b"))]);
    expect(FakePeer.log).not.toContain("answer to a");
    expect(FakePeer.log).not.toContain("offer b");
  });
});

const arrive = (kind: string): Record<string, unknown> => {
  const receiver = { jitterBufferTarget: null };
  FakePeer.last.dispatchEvent(Object.assign(new Event("track"), { track: { kind }, receiver }));
  return receiver;
};

it("tracks of all offers come in one stream, and only video gives up its buffer", async () => {
  const taken = connection.accept(offer("a"));
  expect(arrive("video")).toEqual({ jitterBufferTarget: 0 });
  expect(streams).toHaveLength(0);
  await taken;
  expect(streams).toHaveLength(1);
  await connection.accept(offer("b"));
  expect(streams).toHaveLength(1);
  expect(arrive("audio")).toEqual({ jitterBufferTarget: null });
  expect(streams).toHaveLength(2);
  expect(streams[1]).toBe(streams[0]);
});
