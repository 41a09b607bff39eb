/** Nothing but the picture, on the whole screen, or as near to that as the device lets a page come. */
import { element } from "./dom";
import { t } from "./text";

export class Fullscreen {
  readonly #button = element("fullscreen", HTMLButtonElement);

  constructor(signal: AbortSignal) {
    document.addEventListener("fullscreenchange", () => this.#show(), { signal });
  }

  toggle(): void {
    if ("fill" in document.body.dataset) {
      this.#fill(false);
    } else if (document.fullscreenElement) {
      document.exitFullscreen().catch(() => this.#show());
    } else if (document.fullscreenEnabled) {
      document.documentElement.requestFullscreen().catch(() => this.#fill(true));
    } else {
      // An iPhone gives full screen to nothing but videos: there the page only puts away everything around the picture.
      this.#fill(true);
    }
  }

  #fill(fill: boolean): void {
    if (fill) document.body.dataset["fill"] = "";
    else delete document.body.dataset["fill"];
    this.#show();
  }

  #show(): void {
    const on = Boolean(document.fullscreenElement) || "fill" in document.body.dataset;
    this.#button.classList.toggle("on", on);
    this.#button.title = on ? t("Leave full screen (F)") : t("Full screen (F)");
    this.#button.ariaLabel = this.#button.title;
  }
}
