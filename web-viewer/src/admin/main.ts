/** The operators' page: who is live and how it goes, and who may come. */
import { element, setText } from "../dom";
import { api, Refused } from "./api";
import { Ledger } from "./ledger";
import { Live } from "./live";

const EVERY = 3000;

class Desk {
  readonly #enter = element("enter", HTMLFormElement);
  readonly #key = element("key", HTMLInputElement);
  readonly #refusal = element("refusal", HTMLParagraphElement);
  readonly #desk = element("desk", HTMLDivElement);
  readonly #trouble = element("trouble", HTMLParagraphElement);
  readonly #who = element("who", HTMLParagraphElement);
  readonly #leave = element("leave", HTMLButtonElement);
  readonly #secret = element("secret", HTMLDialogElement);
  readonly #live = new Live((what) => this.#act(what));
  readonly #ledger = new Ledger({
    act: (what) => this.#act(what),
    reveal: (title, text) => this.#reveal(title, text),
  });

  constructor() {
    this.#enter.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#signIn();
    });
    this.#leave.addEventListener("click", () => void api.leave().finally(() => location.reload()));
    element("copy", HTMLButtonElement).addEventListener("click", () => {
      const text = element("secret-text", HTMLTextAreaElement);
      text.select();
      void navigator.clipboard?.writeText(text.value);
    });
    setInterval(() => document.hidden || this.#desk.hidden || void this.#look(), EVERY);
    document.addEventListener("visibilitychange", () => document.hidden || this.#desk.hidden || void this.#look());
    void this.#greet();
  }

  async #greet(): Promise<void> {
    try {
      const { operator } = await api.visit();
      await this.#admit(operator);
    } catch (error) {
      this.#ask(error);
    }
  }

  async #signIn(): Promise<void> {
    try {
      const { operator } = await api.enter(this.#key.value.trim());
      this.#key.value = "";
      await this.#admit(operator);
    } catch (error) {
      setText(this.#refusal, messageOf(error));
    }
  }

  async #admit(operator: string): Promise<void> {
    setText(this.#who, operator);
    for (const shown of [this.#who, this.#leave, this.#desk]) shown.hidden = false;
    this.#enter.hidden = true;
    await this.#look();
  }

  /** Shows the form; who never was here is not told off for it. */
  #ask(error: unknown): void {
    const expected = error instanceof Refused && error.code === "unauthorized";
    setText(this.#refusal, expected ? "" : messageOf(error));
    setText(element("summary", HTMLParagraphElement), "");
    for (const hidden of [this.#who, this.#leave, this.#desk]) hidden.hidden = true;
    this.#enter.hidden = false;
    this.#key.focus();
  }

  async #look(): Promise<void> {
    try {
      const [overview] = await Promise.all([api.overview(), this.#ledger.look()]);
      this.#live.show(overview);
      this.#explain("");
    } catch (error) {
      if (error instanceof Refused && error.code === "unauthorized") return this.#ask(error);
      this.#explain(messageOf(error));
    }
  }

  #act(what: Promise<void>): void {
    void what.then(
      () => this.#look(),
      (error: unknown) => this.#explain(messageOf(error)),
    );
  }

  #explain(trouble: string): void {
    setText(this.#trouble, trouble);
    this.#trouble.hidden = trouble === "";
  }

  #reveal(title: string, text: string): void {
    setText(element("secret-title", HTMLHeadingElement), title);
    element("secret-text", HTMLTextAreaElement).value = text;
    this.#secret.showModal();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

void new Desk();
