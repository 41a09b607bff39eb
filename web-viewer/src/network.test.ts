import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { onNetworkChange } from "./network";

class FakeConnection extends EventTarget {
  type: string | undefined;

  becomes(type: string | undefined): void {
    this.type = type;
    this.dispatchEvent(new Event("change"));
  }
}

let connection: FakeConnection;
let page: EventTarget;
let life: AbortController;
const changed = vi.fn<() => void>();

function start(type: string | undefined): void {
  connection.type = type;
  onNetworkChange(changed, life.signal);
}

beforeEach(() => {
  connection = new FakeConnection();
  page = new EventTarget();
  life = new AbortController();
  changed.mockReset();
  vi.stubGlobal("navigator", { connection, onLine: true });
  vi.stubGlobal("addEventListener", page.addEventListener.bind(page));
});

afterEach(() => {
  vi.unstubAllGlobals();
});

it("another kind of network is a change, another speed of the same is none", () => {
  start("wifi");
  connection.becomes("wifi");
  expect(changed).not.toHaveBeenCalled();
  connection.becomes("cellular");
  expect(changed).toHaveBeenCalledOnce();
});

it("where the kind is not known, only coming back online is a change", () => {
  start(undefined);
  connection.becomes(undefined);
  expect(changed).not.toHaveBeenCalled();
  page.dispatchEvent(new Event("online"));
  expect(changed).toHaveBeenCalledOnce();
});

it("losing the last network is none, and after the end nothing is told", () => {
  start("wifi");
  vi.stubGlobal("navigator", { connection, onLine: false });
  connection.becomes("none");
  life.abort();
  page.dispatchEvent(new Event("online"));
  connection.becomes("wifi");
  expect(changed).not.toHaveBeenCalled();
});

it("a browser that tells of nothing but being online will do", () => {
  vi.stubGlobal("navigator", { onLine: true });
  start(undefined);
  page.dispatchEvent(new Event("online"));
  expect(changed).toHaveBeenCalledOnce();
});
