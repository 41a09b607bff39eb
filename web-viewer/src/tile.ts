/** One of several cameras that are seen at once: its picture, its name, and how it is doing. */
import { onChoice, titleOf } from "./cameras";
import { setText } from "./dom";
import { Feed } from "./feed";
import { Pane } from "./pane";
import type { Admission, CameraInfo } from "./protocol.gen";
import type { Target } from "./steps";
import { rungFor } from "./tiling";
import { wordsFor, type Words } from "./words";

export interface TileEvents {
  chosen(): void;
  /** Something about it may be another than before. */
  told(): void;
  admitted(admission: Admission): void;
  flattened(): void;
  refused(needsTap: boolean): void;
}

export class Tile {
  readonly root = document.createElement("li");
  readonly link = document.createElement("a");
  readonly pane: Pane;
  readonly #camera: CameraInfo;
  readonly #open: () => Feed;
  readonly #events: TileEvents;
  readonly #badge = part("badge");
  readonly #state = part("state");
  readonly #problem = part("problem");
  #words: Words = wordsFor({ kind: "connecting" });
  #feed: Feed | undefined;
  #best: number | undefined;

  /** `key`: what chooses it. */
  constructor(
    target: Target,
    token: string | undefined,
    camera: CameraInfo,
    href: string,
    key: string,
    events: TileEvents,
  ) {
    this.#camera = camera;
    this.#events = events;
    const video = document.createElement("video");
    video.playsInline = true;
    video.disableRemotePlayback = true;
    const canvas = document.createElement("canvas");
    canvas.hidden = true;
    const pictures = part("pictures");
    pictures.ariaHidden = "true";
    pictures.append(video, canvas);
    this.pane = new Pane(video, canvas, { ...events, frame: () => this.#feed?.frame() });
    this.#open = () =>
      new Feed(target, token, this.pane, {
        ...events,
        told: (words) => this.#tell(words),
      });
    this.link.href = href;
    const name = part("name");
    const shortcut = document.createElement("kbd");
    shortcut.textContent = key;
    name.append(shortcut, titleOf(camera), this.#badge);
    const message = part("card");
    message.append(this.#state, this.#problem);
    this.link.append(pictures, name, message);
    onChoice(this.link, () => events.chosen());
    this.root.append(this.link);
    this.#tell(this.#words);
  }

  get words(): Words {
    return this.#words;
  }

  /** A page that nobody looks at watches nothing. */
  watch(seen: boolean): void {
    if (seen === (this.#feed !== undefined)) return;
    this.#feed?.close();
    this.#feed = seen ? this.#open() : undefined;
    if (!seen) this.#tell(wordsFor({ kind: "connecting" }));
    this.#ask();
  }

  /** It has become so wide. */
  fit(width: number): void {
    const best = rungFor(this.#camera.video.rungs, width);
    if (best === this.#best) return;
    this.#best = best;
    this.#ask();
  }

  close(): void {
    this.#feed?.close();
    this.pane.close();
    this.root.remove();
  }

  #ask(): void {
    this.#feed?.want(this.#best ? { best: this.#best } : {});
  }

  #tell(words: Words): void {
    this.#words = words;
    if (this.root.dataset["state"] !== words.mark) this.root.dataset["state"] = words.mark;
    setText(this.#badge, words.badge);
    setText(this.#state, words.badge ? "" : words.state);
    setText(this.#problem, words.problem);
    this.#events.told();
  }
}

function part(name: string): HTMLSpanElement {
  const made = document.createElement("span");
  made.className = name;
  return made;
}
