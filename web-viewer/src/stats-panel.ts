/** Shows the statistics, and how they went in the last minute. */
import { element } from "./dom";
import { lineOf } from "./plot";
import { linesFor, type Delays, type Line, type Sample } from "./stats";

const REMEMBERED = 60;

export class StatsPanel {
  readonly #panel = element("stats", HTMLElement);
  readonly #list = element("stats-list", HTMLDListElement);
  readonly #button = element("stats-toggle", HTMLButtonElement);
  /** By name of the line. */
  readonly #past = new Map<string, (number | undefined)[]>();
  #before: Sample | undefined;

  toggle(): void {
    this.#panel.hidden = !this.#panel.hidden;
    this.#button.ariaPressed = String(!this.#panel.hidden);
  }

  show(sample: Sample, delays: Delays): void {
    const lines = linesFor(sample, this.#before, delays);
    this.#before = sample;
    for (const line of lines) this.#remember(line);
    if (!this.#panel.hidden) this.#list.replaceChildren(...lines.flatMap((line) => this.#cells(line)));
  }

  reset(): void {
    this.#before = undefined;
  }

  #remember([name, , measure]: Line): void {
    const past = this.#past.get(name) ?? [];
    if (measure === undefined && past.length === 0) return;
    past.push(measure);
    this.#past.set(name, past.slice(-REMEMBERED));
  }

  #cells([name, value]: Line): HTMLElement[] {
    const [term, told] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    told.textContent = value;
    const past = this.#past.get(name);
    if (past) told.append(lineOf(past));
    return [term, told];
  }
}
