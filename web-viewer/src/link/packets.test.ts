import { describe, expect, it } from "vitest";
import { connect, event, parse } from "./packets";

describe("packets", () => {
  it("are what the server says", () => {
    expect(parse('0{"sid":"a","upgrades":[],"pingInterval":10000,"pingTimeout":9000,"maxPayload":1}')).toEqual({
      kind: "opened",
      sid: "a",
      silence: 19_000,
    });
    expect(parse("2")).toEqual({ kind: "ping" });
    expect(parse('40{"sid":"b"}')).toEqual({ kind: "connected" });
    expect(parse("40")).toEqual({ kind: "connected" });
    expect(parse('42["offer","a",{"sdp":"1\\n2"}]')).toEqual({
      kind: "event",
      event: "offer",
      args: ["a", { sdp: "1\n2" }],
    });
    expect(parse('4217["offer"]')).toEqual({ kind: "event", event: "offer", args: [] });
    expect(parse('4312[{"ok":true}]')).toEqual({ kind: "reply", ask: 12, reply: { ok: true } });
    expect(parse("430[]")).toEqual({ kind: "reply", ask: 0, reply: undefined });
    expect(parse('44{"message":"full","data":{"a":1}}')).toEqual({ kind: "refused", message: "full", data: { a: 1 } });
    expect([parse("1"), parse("41")]).toEqual([{ kind: "closed" }, { kind: "closed" }]);
  });

  it("that mean nothing are nothing", () => {
    for (const text of ["", "3", "6", "9", "x", "4", "42", "42[", "42{}", "42[1]", "43[1]", "431", "0", '0{"sid":1}']) {
      expect(parse(text), text).toBeUndefined();
    }
    expect(parse('0{"sid":"a","pingInterval":-1,"pingTimeout":"x"}')).toBeUndefined();
    expect(parse("44")).toEqual({ kind: "refused", message: "", data: undefined });
    // Of several namespaces, and with binary data: nothing that this page asked for.
    expect([parse('42/admin,["a"]'), parse('451-["a",{"_placeholder":true}]')]).toEqual([undefined, undefined]);
  });

  it("that let the server sleep for hours do not", () => {
    expect(parse('0{"sid":"a","pingInterval":3600000,"pingTimeout":1}')).toMatchObject({ silence: 120_000 });
  });

  it("are what the page says", () => {
    expect(connect({ version: 1 })).toBe('40{"version":1}');
    expect(event("answer", ["a", { type: "answer" }])).toBe('42["answer","a",{"type":"answer"}]');
    expect(event("watcher", [{}], 0)).toBe('420["watcher",{}]');
  });
});
