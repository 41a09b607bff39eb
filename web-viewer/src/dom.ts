/** Access to the elements of `index.html`, which is part of this program: one that is missing is a mistake here. */

export function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`index.html has no ${type.name} #${id}`);
  return found;
}

/** Writes only what has changed, so that live regions speak once and nothing is laid out for no reason. */
export function setText(target: HTMLElement, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}
