/** Small ways to make elements. */
import { element } from "../dom";

export function made<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  content: string | readonly (Node | string)[] = [],
  className = "",
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  node.append(...(typeof content === "string" ? [content] : content));
  if (className !== "") node.className = className;
  return node;
}

export function button(label: string, act: () => void): HTMLButtonElement {
  const node = made("button", label);
  node.type = "button";
  node.addEventListener("click", act);
  return node;
}

/** A table's body. */
export function body(id: string): HTMLTableSectionElement {
  const [first] = element(id, HTMLTableElement).tBodies;
  if (!first) throw new Error(`admin.html has no body in #${id}`);
  return first;
}

/** Replaces what is there only if `data` has changed since: whoever is in it keeps the focus. */
export class Kept {
  readonly #into: HTMLElement;
  #shown = "";

  constructor(into: HTMLElement) {
    this.#into = into;
  }

  show(data: unknown, draw: () => Node[]): void {
    const shown = JSON.stringify(data);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#into.replaceChildren(...draw());
  }
}
