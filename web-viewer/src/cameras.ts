/** The names in the top bar, and the switch between the cameras of one robot. */
import { element, setText } from "./dom";
import type { CameraId, CameraInfo, RobotId } from "./protocol.gen";
import { watchPath } from "./route";

export class Cameras {
  readonly #title = element("title", HTMLHeadingElement);
  readonly #camera = element("camera", HTMLElement);
  readonly #nav = element("cameras", HTMLElement);
  readonly #page: "watch" | "embed";
  readonly #onChoice: (camera: CameraId) => void;

  constructor(page: "watch" | "embed", onChoice: (camera: CameraId) => void) {
    this.#page = page;
    this.#onChoice = onChoice;
  }

  show(robot: RobotId | undefined, current: CameraId | undefined, all: readonly CameraInfo[]): void {
    const name = robot ?? "Live view";
    setText(this.#title, name);
    document.title = `${name} · Panocast`;
    const chosen = all.find((camera) => camera.id === current) ?? (current === undefined ? all[0] : undefined);
    setText(this.#camera, (chosen && titleOf(chosen)) ?? current ?? "");
    // The switch says the same, and more.
    this.#camera.hidden = all.length > 1;
    this.#nav.hidden = all.length < 2 || robot === undefined;
    if (robot !== undefined) this.#nav.replaceChildren(...all.map((camera) => this.#link(robot, camera, chosen)));
  }

  #link(robot: RobotId, camera: CameraInfo, chosen: CameraInfo | undefined): HTMLAnchorElement {
    const link = document.createElement("a");
    link.href = watchPath(robot, camera.id, this.#page);
    link.textContent = titleOf(camera);
    if (camera === chosen) link.ariaCurrent = "page";
    link.addEventListener("click", (event) => {
      // A new tab or window is the browser's business.
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.#onChoice(camera.id);
    });
    return link;
  }
}

export function titleOf(camera: CameraInfo): string {
  return camera.title ?? camera.id;
}
