/**
 * The page that this one is a frame of: it is told what is seen, and may turn the view.
 *
 * Any page may show a frame, so none gets what only the viewer may have: pictures and tokens stay here.
 */
import type { Picture } from "./picture";
import { bounded, type Look } from "./view";

export class Host {
  readonly #picture: Picture;
  readonly #life = new AbortController();
  #told = "";

  constructor(picture: Picture) {
    this.#picture = picture;
    addEventListener("message", (event) => this.#hear(event), { signal: this.#life.signal });
  }

  /** Tells what has changed since the last time. */
  tell(state: string, text: string): void {
    if (parent === window) return;
    const { yaw, pitch, fov, eye } = this.#picture.look;
    const messages = [
      { panocast: "state", state, text },
      ...(this.#picture.surrounds ? [{ panocast: "look", yaw, pitch, fov, eye }] : []),
    ];
    const told = JSON.stringify(messages);
    if (told === this.#told) return;
    const before = this.#told;
    this.#told = told;
    for (const message of messages) {
      if (!before.includes(JSON.stringify(message))) parent.postMessage(message, "*");
    }
  }

  close(): void {
    this.#life.abort();
  }

  #hear({ source, data }: MessageEvent<unknown>): void {
    if (source !== parent || parent === window || !isRecord(data)) return;
    if (data["panocast"] === "look") this.#picture.look = asked(this.#picture.look, data);
    if (data["panocast"] === "muted" && typeof data["muted"] === "boolean") this.#picture.video.muted = data["muted"];
  }
}

/** The look with what the message says of it, as far as that can be shown. */
export function asked(look: Look, said: Readonly<Record<string, unknown>>): Look {
  const angle = (name: "yaw" | "pitch" | "fov"): number => {
    const value = said[name];
    return typeof value === "number" && Number.isFinite(value) ? value : look[name];
  };
  const eye = said["eye"] === "window" || said["eye"] === "planet" ? said["eye"] : look.eye;
  return bounded({ ...look, yaw: angle("yaw"), pitch: angle("pitch"), fov: angle("fov"), eye });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
