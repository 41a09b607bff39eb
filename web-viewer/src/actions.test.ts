import { expect, it } from "vitest";
import { askedBy, isLook, isOfAll } from "./actions";

const KEY = { ctrlKey: false, metaKey: false, altKey: false, shiftKey: false };

it("letters ask for the same, large or small", () => {
  expect(askedBy({ ...KEY, key: "f" })).toBe("fullscreen");
  expect(askedBy({ ...KEY, key: "F" })).toBe("fullscreen");
  expect(askedBy({ ...KEY, key: "S", shiftKey: true })).toBe("saveAll");
  expect(askedBy({ ...KEY, key: "s" })).toBe("save");
});

it("numbers ask for a camera", () => {
  expect(askedBy({ ...KEY, key: "1" })).toEqual({ camera: 0 });
  expect(askedBy({ ...KEY, key: "9" })).toEqual({ camera: 8 });
  expect(askedBy({ ...KEY, key: "0" })).toBeUndefined();
});

it("what the browser or the system wants is left to them", () => {
  for (const key of ["Tab", "Escape", "Enter", " ", "F5"]) expect(askedBy({ ...KEY, key })).toBeUndefined();
  for (const held of ["ctrlKey", "metaKey", "altKey"]) {
    expect(askedBy({ ...KEY, key: "s", [held]: true })).toBeUndefined();
    expect(askedBy({ ...KEY, key: "1", [held]: true })).toBeUndefined();
  }
});

it("looks are told from deeds", () => {
  expect(isLook("left")).toBe(true);
  expect(isLook("mute")).toBe(false);
});

it("among several pictures nothing is asked of one", () => {
  const asked = ["f", "g", "?", "p", "s", "ArrowUp"].map((key) => askedBy({ ...KEY, key }));
  expect(asked.map((action) => typeof action === "string" && isOfAll(action))).toEqual([
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
});
