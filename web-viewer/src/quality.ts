/** The menu of a camera's encodings, where it has more than one. */
import { element } from "./dom";
import { t } from "./text";
import type { Rung } from "./protocol.gen";

export class Quality {
  readonly #row = element("quality-row", HTMLElement);
  readonly #menu = element("quality", HTMLSelectElement);

  /** `chosen` is told the place of a rung, or nothing for Auto. */
  constructor(chosen: (rung: number | undefined) => void, signal: AbortSignal) {
    const choose = (): void => chosen(this.#menu.value === "" ? undefined : Number(this.#menu.value));
    this.#menu.addEventListener("change", choose, { signal });
  }

  show(rungs: readonly Rung[], chosen: number | undefined): void {
    this.#row.hidden = rungs.length < 2;
    const names = [t("Auto"), ...rungs.map((rung) => nameOf(rung))];
    // A menu that somebody has open stays as it is.
    if (names.join("\n") !== Array.from(this.#menu.options, ({ text }) => text).join("\n")) {
      this.#menu.replaceChildren(...names.map((name, at) => new Option(name, at === 0 ? "" : String(at - 1))));
    }
    this.#menu.value = chosen === undefined ? "" : String(chosen);
  }
}

export function nameOf({ width, height, bitrate }: Rung): string {
  const megabits = Math.round(bitrate / 1e5) / 10;
  const rate = megabits >= 1 ? `${megabits} Mbit/s` : `${Math.round(bitrate / 1e3)} kbit/s`;
  return `${width}×${height} · ${rate}`;
}
