/**
 * The page's words in the person's language. They stand in English where they are used; `zh.ts` holds what they are in
 * Chinese, and the compiler refuses a word that is not in it. Another language is another such file.
 */
import type { Words } from "./zh";

export type English = keyof Words;

let words: Readonly<Partial<Record<string, string>>> = {};

/** Loads what the person's language needs, before anything is said. */
export async function learnLanguage(languages: readonly string[]): Promise<void> {
  if (!prefersChinese(languages)) return;
  try {
    words = (await import("./zh")).ZH;
  } catch (error) {
    console.error("the page stays English", error);
    return;
  }
  document.documentElement.lang = "zh-Hans";
  translate(document.body);
}

/** Whether Chinese is asked for before anything else that there is. */
export function prefersChinese(languages: readonly string[]): boolean {
  const known = languages.find((language) => /^(zh|en)\b/i.test(language));
  return known !== undefined && /^zh/i.test(known);
}

/** The words, with values in the place of `{names}`. */
export function t(english: English, values: Readonly<Record<string, string | number>> = {}): string {
  const said = words[english] ?? english;
  return said.replaceAll(/\{(\w+)\}/g, (whole: string, name: string) => String(values[name] ?? whole));
}

/** What stands in the page from the beginning. */
function translate(root: HTMLElement): void {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const english = (node.nodeValue ?? "").trim().replaceAll(/\s+/g, " ");
    const said = words[english];
    if (said !== undefined) node.nodeValue = said;
  }
  for (const name of ["aria-label", "title", "placeholder"]) {
    for (const node of root.querySelectorAll(`[${name}]`)) {
      const said = words[node.getAttribute(name) ?? ""];
      if (said !== undefined) node.setAttribute(name, said);
    }
  }
}
