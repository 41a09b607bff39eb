/** Shows the state: badge, status line, alert, and the mark that dims a picture which is not live. */
import { element, setText } from "./dom";
import type { Words } from "./words";

export class Status {
  readonly #state = element("state", HTMLParagraphElement);
  readonly #problem = element("problem", HTMLParagraphElement);
  readonly #badge = element("badge", HTMLElement);
  readonly #retry = element("retry", HTMLButtonElement);
  readonly #notice = element("notice", HTMLElement);

  show(words: Words, session: string | undefined): void {
    const { dataset } = document.body;
    if (dataset["state"] !== words.mark) dataset["state"] = words.mark;
    if (dataset["session"] !== session) {
      if (session === undefined) delete dataset["session"];
      else dataset["session"] = session;
    }
    setText(this.#state, words.state);
    setText(this.#problem, words.problem);
    setText(this.#badge, words.badge);
    this.#badge.hidden = words.badge === "";
    this.#retry.hidden = !words.canRetry;
  }

  /** Something that this browser cannot do. It stays until the page is left. */
  explain(text: string): void {
    setText(this.#notice, text);
    this.#notice.hidden = text === "";
  }
}
