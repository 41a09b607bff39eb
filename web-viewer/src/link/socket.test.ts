import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { LineEvents, Opening } from "./lines";
import { Socket } from "./socket";

const OPENED = '0{"sid":"a","pingInterval":10000,"pingTimeout":10000}';

/** A line as the tests hold its other end. */
interface End extends LineEvents {
  way: string;
  said: string[];
  closed: "by a goodbye" | "without a word" | undefined;
}

let ends: End[] = [];
let heard: unknown[] = [];

const way =
  (name: string): Opening =>
  (events) => {
    const end: End = { ...events, way: name, said: [], closed: undefined };
    ends.push(end);
    const close = (goodbye: boolean): unknown => (end.closed = goodbye ? "by a goodbye" : "without a word");
    return { send: (packet) => end.said.push(packet), close };
  };

const socket = (): Socket =>
  new Socket(
    { version: 1 },
    {
      link: (up) => heard.push(up),
      refused: (message, data) => heard.push([message, data]),
      event: (name, args) => heard.push([name, ...args]),
    },
    [way("first"), way("second")],
  );

const last = (): End => ends.at(-1) ?? expect.fail("no line");

function connected(): [Socket, End] {
  const made = socket();
  last().packet(OPENED);
  last().packet("40");
  return [made, last()];
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(1);
  [ends, heard] = [[], []];
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("the link to the server", () => {
  it("says who comes, and passes on what is said", () => {
    const [made, line] = connected();
    made.send("answer", "a", 1);
    line.packet("2");
    line.packet('42["offer","b"]');
    expect(line.said).toEqual(['40{"version":1}', '42["answer","a",1]', "3"]);
    expect(heard).toEqual([true, ["offer", "b"]]);
  });

  it("hands each reply to who asked", async () => {
    const [made, line] = connected();
    const asks = [made.ask("watcher", 1), made.ask("watcher", 2)];
    line.packet("432[2]");
    line.packet("431[1]");
    line.packet("431[3]");
    expect(await Promise.all(asks)).toEqual([1, 2]);
  });

  it("comes back at once when a question is met with silence after the network has changed", async () => {
    const [made, line] = connected();
    made.doubt();
    const asked = made.ask("watcher");
    vi.advanceTimersByTime(4999);
    expect(line.closed).toBeUndefined();
    vi.advanceTimersByTime(1);
    expect(await asked).toBeUndefined();
    expect([line.closed, ends.length, heard]).toEqual(["without a word", 1, [true, false]]);
    vi.advanceTimersByTime(1000);
    expect(ends).toHaveLength(2);
  });

  it("goes on when a question is met with silence where the network is the same", async () => {
    const [made, line] = connected();
    const asked = made.ask("watcher");
    vi.advanceTimersByTime(5000);
    expect(await asked).toBeUndefined();
    expect([line.closed, ends.length]).toEqual([undefined, 1]);
  });

  it("goes on where something has come since the network has changed", async () => {
    const [made, line] = connected();
    made.doubt();
    const asked = made.ask("watcher");
    line.packet("2");
    vi.advanceTimersByTime(5000);
    expect(await asked).toBeUndefined();
    expect([line.closed, ends.length]).toEqual([undefined, 1]);
  });

  it("gives no reply when none comes, when it goes down, and while it is down", async () => {
    const [made, line] = connected();
    const late = made.ask("watcher");
    line.packet("2");
    vi.advanceTimersByTime(5000);
    expect(await late).toBeUndefined();
    const lost = made.ask("watcher");
    line.lost();
    expect(await lost).toBeUndefined();
    expect(await made.ask("watcher")).toBeUndefined();
    made.send("answer");
    expect(line.said).not.toContain('42["answer"]');
  });

  it("tries another way at once, and keeps to the one that works", () => {
    socket();
    last().lost();
    expect(ends.map((end) => end.way)).toEqual(["first", "second"]);
    last().packet(OPENED);
    last().packet("40");
    last().lost();
    vi.advanceTimersByTime(500);
    expect(ends.map((end) => end.way)).toEqual(["first", "second", "second"]);
  });

  it("waits longer and longer where no way works", () => {
    socket();
    const pauses = [500, 1000, 2000, 4000, 5000, 5000];
    for (const pause of pauses) {
      last().lost();
      last().lost();
      const before = ends.length;
      vi.advanceTimersByTime(pause - 1);
      expect(ends).toHaveLength(before);
      vi.advanceTimersByTime(1);
      expect(ends).toHaveLength(before + 1);
    }
    expect(heard).toEqual([]);
  });

  it("gives up a line that does not answer", () => {
    socket();
    const [first] = ends;
    vi.advanceTimersByTime(5000);
    expect(first?.closed).toBe("without a word");
    expect(last().way).toBe("second");
  });

  it("notices that the server has gone without a word", () => {
    const [, line] = connected();
    vi.advanceTimersByTime(19_999);
    line.packet("2");
    vi.advanceTimersByTime(19_999);
    expect(heard).toEqual([true]);
    vi.advanceTimersByTime(1);
    expect(heard).toEqual([true, false]);
    expect(line.closed).toBe("without a word");
    vi.advanceTimersByTime(500);
    expect(last()).not.toBe(line);
  });

  it("comes back when the server has ended it", () => {
    const [, line] = connected();
    line.packet("41");
    expect(heard).toEqual([true, false]);
    vi.advanceTimersByTime(500);
    last().packet(OPENED);
    last().packet("40");
    expect(heard).toEqual([true, false, true]);
  });

  it("asks again later after a refusal, by the same way", () => {
    socket();
    last().packet(OPENED);
    last().packet('44{"message":"full","data":1}');
    expect([heard, last().closed]).toEqual([[["full", 1]], "without a word"]);
    vi.advanceTimersByTime(7499);
    expect(ends).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(ends.map((end) => end.way)).toEqual(["first", "first"]);
  });

  it("hears nothing more of a line that was given up", () => {
    const [made, line] = connected();
    made.close();
    expect(line.closed).toBe("by a goodbye");
    line.packet('42["offer"]');
    line.lost();
    vi.advanceTimersByTime(60_000);
    expect([heard, ends.length]).toEqual([[true, false], 1]);
    made.connect();
    expect(ends).toHaveLength(2);
  });

  it("goes on while it is up, and hurries while it is not", () => {
    const [made, line] = connected();
    made.connect();
    expect([ends.length, line.closed]).toEqual([1, undefined]);
    line.lost();
    made.connect();
    expect(ends).toHaveLength(2);
    vi.advanceTimersByTime(4999);
    expect(ends).toHaveLength(2);
  });
});
