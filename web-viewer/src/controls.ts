/** Buttons and keys, which do the same. Keys work only while the picture has focus, and Tab and Esc stay the browser's. */
import { askedBy, BUTTONS, isLook, isOfAll, LOOKS, type Action, type Deed } from "./actions";
import { element } from "./dom";
import { Fullscreen } from "./fullscreen";
import type { Picture } from "./picture";
import { Pointers } from "./pointers";
import { t } from "./text";

/** What others do. */
export type Elsewhere = Record<Exclude<Deed, "fullscreen" | "help" | "level" | "mute" | "pip" | "way">, () => void>;

export class Controls {
  readonly #picture: Picture;
  readonly #pointers: Pointers;
  readonly #elsewhere: Elsewhere;
  readonly #life = new AbortController();
  readonly #fullscreen: Fullscreen;
  readonly #help = element("help", HTMLDialogElement);
  readonly #menu = element("menu", HTMLElement);
  readonly #mute = element("mute", HTMLButtonElement);
  readonly #pip = element("pip", HTMLButtonElement);

  /** `modest`: the page is part of another one. `camera` is told the place of the one that is asked for. */
  constructor(picture: Picture, modest: boolean, elsewhere: Elsewhere, camera: (place: number) => void) {
    this.#picture = picture;
    this.#pointers = new Pointers(picture, modest);
    this.#elsewhere = elsewhere;
    const { signal } = this.#life;
    this.#fullscreen = new Fullscreen(signal);
    for (const [id, action] of BUTTONS) {
      element(id, HTMLButtonElement).addEventListener("click", () => this.#do(action), { signal });
    }
    const press = (event: KeyboardEvent): void => {
      const asked = askedBy(event);
      // A key that is held down goes on turning the view, and does everything else once.
      if (event.repeat && !(typeof asked === "string" && isLook(asked))) return;
      if (typeof asked === "object") camera(asked.camera);
      else if (!asked || (event.currentTarget === grid ? !isOfAll(asked) : isLook(asked) && !picture.surrounds)) return;
      else this.#do(asked);
      event.preventDefault();
    };
    const grid = element("grid", HTMLElement);
    const surfaces: HTMLElement[] = [picture.canvas, picture.video, grid];
    for (const surface of surfaces) surface.addEventListener("keydown", press, { signal });
    element("help-close", HTMLButtonElement).addEventListener("click", () => this.#help.close(), { signal });
    picture.video.addEventListener("volumechange", () => this.#showMuted(), { signal });
    // A choice has been made: the menu is no longer in the way.
    this.#menu.addEventListener("click", () => this.#menu.hidePopover(), { signal });
    this.#pip.hidden = !document.pictureInPictureEnabled;
  }

  close(): void {
    this.#life.abort();
    this.#pointers.close();
  }

  #do(action: Action): void {
    if (isLook(action)) {
      this.#pointers.stop();
      this.#picture.look = LOOKS[action](this.#picture.look);
      return;
    }
    switch (action) {
      case "fullscreen":
        return this.#fullscreen.toggle();
      case "mute":
        this.#picture.video.muted = !this.#picture.video.muted;
        return;
      case "help":
        return this.#help.open ? this.#help.close() : this.#help.showModal();
      case "pip":
        return void this.#togglePictureInPicture();
      case "way":
        this.#pointers.stop();
        this.#picture.nextWay();
        // The focus stays where keys are heard.
        return this.#picture.focus();
      case "level":
        this.#picture.toggleLevel();
        return this.#picture.focus();
      case "grid":
      case "gyro":
      case "headset":
      case "record":
      case "save":
      case "saveAll":
      case "share":
      case "stats":
        return this.#elsewhere[action]();
      default:
        action satisfies never;
    }
  }

  /** Others may have changed it too: the page around this one, or the browser. */
  #showMuted(): void {
    const { video } = this.#picture;
    this.#mute.classList.toggle("on", !video.muted);
    this.#mute.title = video.muted ? t("Turn sound on (M)") : t("Turn sound off (M)");
    this.#mute.ariaLabel = this.#mute.title;
  }

  async #togglePictureInPicture(): Promise<void> {
    try {
      if (document.pictureInPictureElement) await document.exitPictureInPicture();
      else await this.#picture.video.requestPictureInPicture();
    } catch (error) {
      console.debug("no picture in picture", error);
    }
  }
}
