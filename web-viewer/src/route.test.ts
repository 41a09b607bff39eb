import { expect, it } from "vitest";
import { routeOf, watchPath } from "./route";

it.each([
  ["/", { page: "home" }],
  ["/nowhere", { page: "home" }],
  ["/watch", { page: "watch", target: {} }],
  ["/watch/demo", { page: "watch", target: { robot: "demo" } }],
  ["/watch/demo/main/", { page: "watch", target: { robot: "demo", camera: "main" } }],
  ["/embed/r%C3%BC", { page: "embed", target: { robot: "rü" } }],
  ["/watch/100%", { page: "watch", target: { robot: "100%" } }],
])("%s", (path, route) => {
  expect(routeOf(path)).toEqual(route.page === "home" ? route : { ...route, grid: false });
});

it("all cameras are asked for behind the question mark", () => {
  expect(routeOf("/watch/demo", "?grid")).toEqual({ page: "watch", target: { robot: "demo" }, grid: true });
  expect(routeOf("/", "?grid")).toEqual({ page: "home" });
});

it("paths lead back to where they came from", () => {
  expect(watchPath("demo", "a b", "embed")).toBe("/embed/demo/a%20b");
  expect(routeOf(watchPath("a/b"))).toMatchObject({ page: "watch", target: { robot: "a/b" } });
});
