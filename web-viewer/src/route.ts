/** What the address asks for. Pure. */
import type { CameraId } from "./protocol.gen";
import type { Target } from "./steps";

export type Route = { page: "home" } | { page: "watch" | "embed"; target: Target };

export function routeOf(path: string): Route {
  const [page, robot, camera] = path.split("/").filter(Boolean).map(decoded);
  if (page !== "watch" && page !== "embed") return { page: "home" };
  return { page, target: { ...(robot !== undefined && { robot }), ...(camera !== undefined && { camera }) } };
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
