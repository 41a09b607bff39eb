import { expect, it } from "vitest";
import page from "../index.html?raw";
import { prefersChinese, t } from "./text";
import { ZH } from "./zh";

const names = (said: string) => [...said.matchAll(/\{\w+\}/g)].map(String).toSorted();

it("the language is the first asked for that there is", () => {
  expect(prefersChinese(["zh-CN", "en"])).toBe(true);
  expect(prefersChinese(["fr", "zh"])).toBe(true);
  expect(prefersChinese(["en-GB", "zh"])).toBe(false);
  expect(prefersChinese(["de"])).toBe(false);
  expect(prefersChinese([])).toBe(false);
});

it("values come in the place of their names", () => {
  expect(t("Stalled {seconds} s", { seconds: 7 })).toBe("Stalled 7 s");
  expect(t("Stalled {seconds} s")).toBe("Stalled {seconds} s");
});

it("a translation has the same values as what it translates", () => {
  for (const [english, said] of Object.entries(ZH)) expect(names(said), english).toEqual(names(english));
});

it("everything that stands in the page is translated", () => {
  const body = page.slice(page.indexOf("<body>"));
  const texts = [...body.replaceAll(/<(svg|kbd)[\s\S]*?<\/\1>/g, "<>").matchAll(/>([^<>]+)</g)].map(([, text]) => text);
  const labels = [...body.matchAll(/(?:aria-label|title)="([^"]+)"/g)].map(([, text]) => text);
  const said = [...texts, ...labels].map((text) => (text ?? "").trim().replaceAll(/\s+/g, " "));
  const words = said.filter((text) => /\p{L}{2}/u.test(text));
  expect(words.length).toBeGreaterThan(50);
  expect(words.filter((text) => !Object.hasOwn(ZH, text))).toEqual([]);
});
