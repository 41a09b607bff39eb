/** What the address asks for. Pure. */
import type { CameraId } from "./protocol.gen";
import type { Target } from "./steps";

export interface Watched {
  page: "watch" | "embed";
  target: Target;
  /** All cameras at once. */
  grid: boolean;
}

export type Route = { page: "home" } | Watched;

export function routeOf(path: string, query = ""): Route {
  const [page, robot, camera] = path.split("/").filter(Boolean).map(decoded);
  if (page !== "watch" && page !== "embed") return { page: "home" };
  const target = { ...(robot !== undefined && { robot }), ...(camera !== undefined && { camera }) };
  return { page, target, grid: new URLSearchParams(query).has("grid") };
}

export function watchPath(robot: string, camera?: CameraId, page: "watch" | "embed" = "watch"): string {
  return `/${[page, robot, ...(camera === undefined ? [] : [camera])].map(encodeURIComponent).join("/")}`;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // A stray percent sign is no encoding: take it as it stands.
    return part;
  }
}
