import { beforeEach, describe, expect, it } from "vitest";
import { nameOf } from "./quality";
import { asks, Bench, OFFER } from "./testbench";
import { codecsOf } from "./wishes";

const RUNGS = [
  { width: 1920, height: 960, fps: 30, bitrate: 3_000_000 },
  { width: 960, height: 480, fps: 30, bitrate: 800_000 },
];
const VIDEO = { projection: { kind: "flat" }, rungs: RUNGS } as const;
const LADDER = { video: { ...VIDEO, rungs: [...RUNGS] } };

let bench: Bench;

beforeEach(() => {
  bench = new Bench();
});

const types = (...mimeTypes: string[]) => ({ codecs: mimeTypes.map((mimeType) => ({ mimeType })) });
const wants = () => asks(bench.hear("broadcaster")).map(({ watch }) => watch.want);

describe("the chosen quality", () => {
  beforeEach(() => bench.live(LADDER));

  it("is asked for under the same session, and with every question from then on", () => {
    expect(wants()).toEqual([undefined]);
    bench.admit(2, "s1", { ...LADDER, resumed: true });
    expect(bench.tell({ type: "want", rung: 1 })).toEqual([
      { type: "watch", ask: 3, watch: { version: 1, robot: "demo", resume: "s1", want: { rung: 1 } } },
    ]);
    expect(bench.session.rung).toBe(1);
    bench.admit(3, "s1", { ...LADDER, resumed: true });
    expect(bench.pass(10, "flows")).toEqual([]);
    expect(bench.view.kind).toBe("live");
    expect(wants()).toEqual([{ rung: 1 }]);
  });

  it("may be Auto again, and that is said as well", () => {
    bench.tell({ type: "want", rung: 1 });
    bench.admit(2, "s1", { ...LADDER, resumed: true });
    expect(asks(bench.tell({ type: "want" }))).toMatchObject([{ watch: { resume: "s1", want: {} } }]);
    expect(bench.session.rung).toBeUndefined();
  });

  it("may be the best of what there is room for, and that is as with Auto", () => {
    expect(asks(bench.tell({ type: "want", best: 1 }))).toMatchObject([{ watch: { resume: "s1", want: { best: 1 } } }]);
    expect(bench.session.rung).toBeUndefined();
    const early = new Bench();
    early.tell({ type: "want", best: 2 });
    expect(asks(early.tell({ type: "link", up: true }))).toMatchObject([{ watch: { want: { best: 2 } } }]);
  });

  it("waits for a question that is open, and the last choice counts", () => {
    bench.tell({ type: "want", rung: 0 });
    expect(bench.tell({ type: "want", rung: 1 })).toEqual([]);
    bench.admit(2, "s1", { ...LADDER, resumed: true });
    expect(asks(bench.pass(1, "flows"))).toMatchObject([{ watch: { resume: "s1", want: { rung: 1 } } }]);
  });

  it("is for one camera only", () => {
    bench.tell({ type: "want", rung: 1 });
    const [ask] = asks(bench.tell({ type: "target", target: { robot: "demo", camera: "rear" } }));
    expect(ask?.watch).toEqual({ version: 1, robot: "demo", camera: "rear" });
    expect(bench.session.rung).toBeUndefined();
  });

  it("stays when the same camera is asked for anew", () => {
    bench.tell({ type: "want", rung: 1 });
    expect(asks(bench.tell({ type: "target", target: { robot: "demo" } }))).toMatchObject([
      { watch: { want: { rung: 1 } } },
    ]);
  });

  it("is forgotten when the robot comes back with fewer", () => {
    bench.tell({ type: "want", rung: 1 });
    bench.admit(2, "s2", { video: { ...VIDEO, rungs: RUNGS.slice(0, 1) } });
    expect(bench.session.rung).toBeUndefined();
    bench.hear("offer", "robot-1", OFFER, { session: "s2" });
    expect(wants()).toEqual([undefined]);
  });
});

it("a quality that is chosen before the first picture is asked for with it", () => {
  bench.tell({ type: "link", up: true });
  bench.admit(1, "s1", LADDER);
  expect(bench.tell({ type: "want", rung: 1 })).toEqual([]);
  bench.hear("offer", "robot-1", OFFER, { session: "s1" });
  expect(asks(bench.pass(1))).toEqual([]);
  expect(asks(bench.pass(1, "flows"))).toMatchObject([{ watch: { resume: "s1", want: { rung: 1 } } }]);
});

describe("codecs", () => {
  it("are said with every question, as the browser knows them by then", () => {
    const codecs: ("h264" | "vp8")[] = ["vp8"];
    const told = new Bench({ codecs: () => codecs });
    expect(asks(told.tell({ type: "link", up: true }))).toMatchObject([{ watch: { codecs: ["vp8"] } }]);
    codecs.unshift("h264");
    expect(asks(told.tell({ type: "retry" }))).toMatchObject([{ watch: { codecs: ["h264", "vp8"] } }]);
  });

  it("are not said when they are not known", () => {
    expect(asks(bench.tell({ type: "link", up: true }))[0]?.watch).not.toHaveProperty("codecs");
  });

  it("are each named once, without those that no robot sends", () => {
    expect(codecsOf(types("video/VP8", "video/rtx", "video/H264", "video/H264", "video/AV1"))).toEqual(["vp8", "h264"]);
    expect(codecsOf(types("video/AV1"))).toEqual([]);
    expect([codecsOf(null), codecsOf(undefined)]).toEqual([[], []]);
  });
});

it("a quality is called by its size and what it costs", () => {
  expect(RUNGS.map((rung) => nameOf(rung))).toEqual(["1920×960 · 3 Mbit/s", "960×480 · 800 kbit/s"]);
  expect(nameOf({ width: 1280, height: 720, fps: 30, bitrate: 1_540_000 })).toBe("1280×720 · 1.5 Mbit/s");
  expect(nameOf({ width: 1280, height: 720, fps: 30, bitrate: 999_999 })).toBe("1280×720 · 1 Mbit/s");
});
