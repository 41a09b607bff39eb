/** The names in the top bar, and the switch between the cameras of one robot. */
import { element, setText } from "./dom";
import type { CameraId, CameraInfo, RobotId } from "./protocol.gen";
import { watchPath } from "./route";
import { t } from "./text";

export interface Choice {
  camera(camera: CameraId): void;
  /** All at once, or no longer. */
  all(): void;
}

export class Cameras {
  readonly #title = element("title", HTMLHeadingElement);
  readonly #camera = element("camera", HTMLElement);
  readonly #nav = element("cameras", HTMLElement);
  readonly #page: "watch" | "embed";
  readonly #choice: Choice;
  #all: readonly CameraInfo[] = [];
  #shown: CameraInfo | undefined;

  constructor(page: "watch" | "embed", choice: Choice) {
    this.#page = page;
    this.#choice = choice;
  }

  /** `grid`: all of them are shown. */
  show(
    robot: RobotId | undefined,
    current: CameraId | undefined,
    all: readonly CameraInfo[],
    { grid = false }: { grid?: boolean } = {},
  ): void {
    const name = robot ?? t("Live view");
    setText(this.#title, name);
    document.title = `${name} · Panocast`;
    const chosen = all.find((camera) => camera.id === current) ?? (current === undefined ? all[0] : undefined);
    this.#all = all;
    this.#shown = grid ? undefined : chosen;
    setText(this.#camera, (chosen && titleOf(chosen)) ?? current ?? "");
    // The switch says the same, and more.
    this.#camera.hidden = all.length > 1;
    this.#nav.hidden = all.length < 2 || robot === undefined;
    if (robot === undefined) return;
    const cameras = all.map((camera) =>
      linkTo(watchPath(robot, camera.id, this.#page), titleOf(camera), camera === this.#shown, () =>
        this.#choice.camera(camera.id),
      ),
    );
    const together = linkTo(`${watchPath(robot, undefined, this.#page)}?grid`, t("All"), grid, () =>
      this.#choice.all(),
    );
    together.className = "all";
    together.title = t("All cameras at once (G)");
    const links = [...cameras, together];
    // Whoever goes from one to the next by keys does not begin anew each time.
    const before = document.activeElement;
    const focused = before instanceof HTMLAnchorElement && this.#nav.contains(before) ? before.href : undefined;
    this.#nav.replaceChildren(...links);
    links.find((link) => link.href === focused)?.focus();
  }

  /** The camera of that place, if there is one and it is not shown already. */
  choose(place: number): void {
    const camera = this.#all[place];
    if (camera && camera !== this.#shown) this.#choice.camera(camera.id);
  }
}

function linkTo(href: string, text: string, chosen: boolean, choose: () => void): HTMLAnchorElement {
  const link = document.createElement("a");
  link.href = href;
  link.textContent = text;
  if (chosen) link.ariaCurrent = "page";
  onChoice(link, choose);
  return link;
}

/** A new tab or window is the browser's business. */
export function onChoice(link: HTMLAnchorElement, choose: () => void): void {
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    choose();
  });
}

export function titleOf(camera: CameraInfo): string {
  return camera.title ?? camera.id;
}
