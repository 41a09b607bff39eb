import { describe, expect, it } from "vitest";
import fixtures from "../../protocol/fixtures/messages.json";
import { decodeLiveRobots, decodeToViewer, decodeWatchReply } from "./guards";
import { sightOf } from "./panorama/sight";

const decode = ([event, ...args]: readonly unknown[]) => decodeToViewer(String(event), args);

describe("what the server says", () => {
  it.each(fixtures.to_viewer.map((message) => [JSON.stringify(message), message]))(
    "%s is taken as it is",
    (_, message) => {
      expect(decode(message as unknown[])).toEqual(message);
    },
  );

  it("may carry nulls, and arguments and fields of a later version", () => {
    expect(decode(["broadcaster", null])).toEqual(["broadcaster"]);
    expect(decode(["broadcasterLeft", { robot: "demo", why: "tired" }, 7])).toEqual([
      "broadcasterLeft",
      { robot: "demo", why: "tired" },
    ]);
    const candidate = { candidate: "candidate:1", sdpMid: null, sdpMLineIndex: null };
    expect(decode(["candidate", "abc", candidate, null])).toEqual(["candidate", "abc", candidate]);
  });

  it.each([
    [["shutdown", "now"]],
    [["toString"]],
    [["broadcaster", "demo"]],
    [["broadcasterLeft", { robot: 7 }]],
    [["offer"]],
    [["offer", "abc", null]],
    [["offer", 7, { type: "offer", sdp: "v=0" }]],
    [["offer", "abc", { type: "banana", sdp: "v=0" }]],
    [["offer", "abc", { type: "offer" }]],
    [["offer", "abc", { type: "offer", sdp: "v=0" }, { session: 7 }]],
    [["offer", "abc", { type: "offer", sdp: "v=0" }, []]],
    [["candidate", "abc", "candidate:1"]],
    [["candidate", "abc", { candidate: "candidate:1", sdpMid: 0 }]],
    [["notice", { code: "nonsense", message: "" }]],
    [["notice", { code: "toString", message: "" }]],
    [["notice", "full"]],
  ])("%j is not taken", (message) => {
    expect(decode(message)).toBeUndefined();
  });
});

const cubeOf = (cell: unknown) => ({ columns: 3, cells: Array<unknown>(6).fill(cell) });
const CUBE = cubeOf({ face: "front", turn: 0 });

describe("the reply to `watcher`", () => {
  it.each(fixtures.watch_replies.map((reply) => [JSON.stringify(reply), reply]))("%s is taken as it is", (_, reply) => {
    expect(decodeWatchReply(reply)).toEqual(reply);
  });

  const admission: Record<string, unknown> = { ...fixtures.watch_replies[0] };

  it.each(Object.keys(admission))("without %s is none", (field) => {
    const { [field]: _, ...rest } = admission;
    expect(decodeWatchReply(rest)).toBeUndefined();
  });

  it.each([
    [{ ok: false }],
    [{ media: "pigeon" }],
    [{ resumed: "no" }],
    [{ ice_servers: [{ urls: "stun:stun.example" }] }],
    [{ ice_servers: [{ urls: ["stun:stun.example"], username: 7 }] }],
    [{ video: { projection: {}, rungs: [] } }],
    [{ video: { projection: { kind: "flat" }, rungs: [{ width: 1 }] } }],
    [{ video: { projection: { kind: "flat" }, mount: { yaw: 1 }, rungs: [] } }],
    [{ video: { projection: { kind: "equirectangular", coverage: [360] }, rungs: [] } }],
    [{ video: { projection: { kind: "fisheye", lens: { fov: 190 } }, rungs: [] } }],
    [{ video: { projection: { kind: "dual_fisheye", lenses: [], blend: 5 }, rungs: [] } }],
    [{ video: { projection: { kind: "cube_map" }, rungs: [] } }],
    [{ video: { projection: { kind: "cube_map", layout: { columns: 3, cells: [] } }, rungs: [] } }],
    [{ video: { projection: { kind: "cube_map", layout: { ...CUBE, columns: 4 } }, rungs: [] } }],
    [{ video: { projection: { kind: "equiangular", layout: { ...CUBE, padding: 0.1 } }, rungs: [] } }],
    [{ video: { projection: { kind: "equiangular", layout: cubeOf({ face: "top", turn: 0 }) }, rungs: [] } }],
    [{ video: { projection: { kind: "equiangular", layout: cubeOf({ face: "up", turn: 45 }) }, rungs: [] } }],
  ])("with %j is none", (change) => {
    expect(decodeWatchReply({ ...admission, ...change })).toBeUndefined();
  });

  it("may have a projection of a later version, whose picture is shown as it comes", () => {
    const video = { projection: { kind: "cubist" }, rungs: [] };
    const reply = decodeWatchReply({ ...admission, video });
    expect(reply).toMatchObject({ video });
    expect(reply && "video" in reply && sightOf(reply.video)).toBeUndefined();
  });

  it.each([[undefined], [null], [7], [[]], [{}], [{ error: "no" }]])("%j is none", (value) => {
    expect(decodeWatchReply(value)).toBeUndefined();
  });
});

it("a list of live robots is taken whole or not at all", () => {
  const robot = {
    robot: "demo",
    cameras: [{ id: "main", title: "Front", video: { projection: { kind: "equirectangular" }, rungs: [] } }],
    viewers: 2,
  };
  expect(decodeLiveRobots([])).toEqual([]);
  expect(decodeLiveRobots([robot])).toEqual([robot]);
  expect(decodeLiveRobots([robot, { ...robot, viewers: "2" }])).toBeUndefined();
  expect(decodeLiveRobots({ error: "no" })).toBeUndefined();
});
