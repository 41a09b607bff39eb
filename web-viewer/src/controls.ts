/** Buttons and keys, which do the same. Keys work only while the picture has focus, and Tab and Esc stay the browser's. */
import { element } from "./dom";
import type { Picture } from "./picture";
import { Pointers } from "./pointers";
import { START, stepped, zoomed, type Look } from "./view";

const LOOKS = {
  left: (look) => stepped(look, -1, 0),
  right: (look) => stepped(look, 1, 0),
  up: (look) => stepped(look, 0, 1),
  down: (look) => stepped(look, 0, -1),
  in: (look) => zoomed(look, 1 / 1.15),
  out: (look) => zoomed(look, 1.15),
  home: () => START,
} satisfies Record<string, (look: Look) => Look>;

type Action = keyof typeof LOOKS | "fullscreen" | "mute" | "stats" | "help";

const KEYS = new Map<string, Action>([
  ["ArrowLeft", "left"],
  ["ArrowRight", "right"],
  ["ArrowUp", "up"],
  ["ArrowDown", "down"],
  ["+", "in"],
  ["=", "in"],
  ["-", "out"],
  ["Home", "home"],
  ["f", "fullscreen"],
  ["m", "mute"],
  ["i", "stats"],
  ["?", "help"],
]);

/** Every button of the page and what it does. */
const BUTTONS: readonly [id: string, action: Action][] = [
  ["look-left", "left"],
  ["look-right", "right"],
  ["look-up", "up"],
  ["look-down", "down"],
  ["zoom-in", "in"],
  ["zoom-out", "out"],
  ["recentre", "home"],
  ["fullscreen", "fullscreen"],
  ["mute", "mute"],
  ["stats-toggle", "stats"],
  ["help-toggle", "help"],
];

export class Controls {
  readonly #picture: Picture;
  readonly #pointers: Pointers;
  readonly #toggleStats: () => boolean;
  readonly #life = new AbortController();
  readonly #help = element("help", HTMLDialogElement);
  readonly #fullscreen = element("fullscreen", HTMLButtonElement);
  readonly #mute = element("mute", HTMLButtonElement);
  readonly #stats = element("stats-toggle", HTMLButtonElement);

  constructor(picture: Picture, modest: boolean, toggleStats: () => boolean) {
    this.#picture = picture;
    this.#pointers = new Pointers(picture, modest);
    this.#toggleStats = toggleStats;
    const { signal } = this.#life;
    for (const [id, action] of BUTTONS) {
      element(id, HTMLButtonElement).addEventListener("click", () => this.#do(action), { signal });
    }
    const surfaces: HTMLElement[] = [picture.canvas, picture.video];
    for (const surface of surfaces) {
      surface.addEventListener("keydown", (event) => this.#press(event), { signal });
    }
    element("help-close", HTMLButtonElement).addEventListener("click", () => this.#help.close(), { signal });
    document.addEventListener("fullscreenchange", () => this.#showFullscreen(), { signal });
  }

  close(): void {
    this.#life.abort();
    this.#pointers.close();
  }

  #press(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const action = KEYS.get(event.key.length === 1 ? event.key.toLowerCase() : event.key);
    if (!action || (isLook(action) && !this.#picture.surrounds)) return;
    event.preventDefault();
    this.#do(action);
  }

  #do(action: Action): void {
    if (isLook(action)) {
      this.#pointers.stop();
      this.#picture.look = LOOKS[action](this.#picture.look);
      return;
    }
    switch (action) {
      case "fullscreen":
        return this.#toggleFullscreen();
      case "mute":
        return this.#toggleMute();
      case "stats":
        this.#stats.ariaPressed = String(this.#toggleStats());
        return;
      case "help":
        return this.#help.open ? this.#help.close() : this.#help.showModal();
      default:
        action satisfies never;
    }
  }

  #toggleMute(): void {
    const { video } = this.#picture;
    video.muted = !video.muted;
    this.#mute.ariaPressed = String(!video.muted);
    this.#mute.ariaLabel = video.muted ? "Turn sound on (M)" : "Turn sound off (M)";
  }

  #toggleFullscreen(): void {
    if (document.fullscreenElement) {
      document.exitFullscreen().catch(() => this.#showFullscreen());
    } else if (document.fullscreenEnabled) {
      document.documentElement.requestFullscreen().catch(() => this.#fill(true));
    } else {
      // An iPhone gives full screen to nothing but videos: there the page only puts away everything around the picture.
      this.#fill(!("fill" in document.body.dataset));
    }
  }

  #fill(fill: boolean): void {
    if (fill) document.body.dataset["fill"] = "";
    else delete document.body.dataset["fill"];
    this.#showFullscreen();
  }

  #showFullscreen(): void {
    const on = document.fullscreenElement !== null || "fill" in document.body.dataset;
    this.#fullscreen.ariaPressed = String(on);
    this.#fullscreen.ariaLabel = on ? "Leave full screen (F)" : "Full screen (F)";
  }
}

function isLook(action: Action): action is keyof typeof LOOKS {
  return action in LOOKS;
}
