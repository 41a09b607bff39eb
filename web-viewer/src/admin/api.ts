/** What the operators' page asks the server, and what it is told when something is wrong. */
import { isNotice } from "../guards";
import type { Code, Overview } from "../protocol.gen";

export const ACCESS = ["public", "link", "private"] as const;
export type Access = (typeof ACCESS)[number];
export const ROLES = ["watch", "operate"] as const;
export type Role = (typeof ROLES)[number];

export function isAccess(text: string): text is Access {
  return ACCESS.some((access) => access === text);
}

export function isRole(text: string): text is Role {
  return ROLES.some((role) => role === text);
}

export interface KnownRobot {
  robot: string;
  access: Access;
  keys: number;
  created: number;
}

export interface Link {
  id: string;
  robot: string;
  role: Role;
  max_viewers: number | null;
  note: string;
  /** Seconds since 1970. */
  expires: number;
  revoked: boolean;
}

export interface NewLink {
  robot: string;
  role: Role;
  lasts: number;
  max_viewers: number | null;
  note: string;
}

/** The server said no, or did not answer. */
export class Refused extends Error {
  readonly code: Code | undefined;

  constructor(message: string, code?: Code) {
    super(message);
    this.code = code;
  }
}

async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const init: RequestInit = { method, credentials: "same-origin", cache: "no-store" };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "content-type": "application/json" };
  }
  const response = await fetch(`/api/v1/${path}`, init).catch(() => undefined);
  if (!response) throw new Refused("The server cannot be reached.");
  // An empty answer says that it is done.
  const text = response.status === 204 ? "null" : await response.text();
  try {
    // Taken at its word: page and server are one program.
    if (response.ok) return JSON.parse(text);
    const told: unknown = JSON.parse(text);
    if (isNotice(told)) throw new Refused(told.message, told.code);
  } catch (error) {
    if (error instanceof Refused) throw error;
  }
  throw new Refused(`The server answered with status ${response.status}.`);
}

const inPath = encodeURIComponent;

export const api = {
  visit: () => ask<{ operator: string }>("GET", "visit"),
  enter: (key: string) => ask<{ operator: string }>("POST", "visit", { key }),
  leave: () => ask<void>("DELETE", "visit"),
  overview: () => ask<Overview>("GET", "overview"),
  robots: () => ask<KnownRobot[]>("GET", "operators/robots"),
  addRobot: (robot: string, access: Access) => ask<{ key: string }>("POST", "operators/robots", { robot, access }),
  setAccess: (robot: string, access: Access) => ask<void>("PATCH", `operators/robots/${inPath(robot)}`, { access }),
  rotate: (robot: string) => ask<{ key: string }>("POST", `operators/robots/${inPath(robot)}/key`, { at_once: false }),
  removeRobot: (robot: string) => ask<void>("DELETE", `operators/robots/${inPath(robot)}`),
  kick: (robot: string, session: string) =>
    ask<void>("DELETE", `operators/robots/${inPath(robot)}/viewers/${inPath(session)}`),
  links: () => ask<Link[]>("GET", "operators/links"),
  addLink: (link: NewLink) => ask<Link & { path: string }>("POST", "operators/links", link),
  revoke: (link: string) => ask<void>("DELETE", `operators/links/${inPath(link)}`),
};
