/**
 * What goes over the line to the server: Engine.IO 4, and in its messages Socket.IO 5. Pure.
 *
 * Only what this page and our server say to each other: one namespace, text, and no questions of the server's.
 */

export type Packet =
  /** The server is there; who hears nothing for so many milliseconds has lost it. */
  | { kind: "opened"; sid: string; silence: number }
  | { kind: "ping" }
  | { kind: "connected" }
  | { kind: "refused"; message: string; data: unknown }
  | { kind: "event"; event: string; args: unknown[] }
  | { kind: "reply"; ask: number; reply: unknown }
  /** By the server, for this connection or for all of them. */
  | { kind: "closed" };

export const PONG = "3";
export const GOODBYE = "41";
/** Ends a session that is no WebSocket, and so does not end with it. */
export const CLOSE = "1";

/** Between packets that come in one answer. */
export const SEPARATOR = "\u001E";

/** The longest that the server may keep silent by its own word, in milliseconds: sleep outlasts any other. */
const LONGEST_SILENCE = 120_000;

export function connect(auth: object): string {
  return `40${JSON.stringify(auth)}`;
}

export function event(name: string, args: readonly unknown[], ask?: number): string {
  return `42${ask ?? ""}${JSON.stringify([name, ...args])}`;
}

/** Nothing for a packet that means nothing here, or means nothing at all. */
export function parse(text: string): Packet | undefined {
  const [, type = "", ask = "", body = ""] = /^(4?[0-9])(\d*)(.*)$/s.exec(text) ?? [];
  const value = json(type === "0" ? ask + body : body);
  switch (type) {
    case "0":
      return opened(value);
    case "1":
    case "41":
      return { kind: "closed" };
    case "2":
      return { kind: "ping" };
    case "40":
      return { kind: "connected" };
    case "42": {
      const [name, ...args] = Array.isArray(value) ? (value as unknown[]) : [];
      return typeof name === "string" ? { kind: "event", event: name, args } : undefined;
    }
    case "43":
      return ask !== "" && Array.isArray(value) ? { kind: "reply", ask: Number(ask), reply: value[0] } : undefined;
    case "44": {
      const { message, data } = fields(value);
      return { kind: "refused", message: typeof message === "string" ? message : "", data };
    }
    default:
      return undefined;
  }
}

function opened(value: unknown): Packet | undefined {
  const { sid, pingInterval, pingTimeout } = fields(value);
  const silence = Number(pingInterval) + Number(pingTimeout);
  if (typeof sid !== "string" || !(silence > 0)) return undefined;
  return { kind: "opened", sid, silence: Math.min(silence, LONGEST_SILENCE) };
}

function fields(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {};
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
