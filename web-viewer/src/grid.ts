/**
 * All cameras of a robot at once. Each is watched for itself, as if it were alone, but at no better quality than its tile has
 * room for.
 */
import { element } from "./dom";
import type { Admission, CameraId, CameraInfo, RobotId } from "./protocol.gen";
import { watchPath } from "./route";
import { t } from "./text";
import { Tile } from "./tile";
import { columnsFor } from "./tiling";
import type { Words } from "./words";

/** As many as there are keys for. A server takes about twice as many connections from one address. */
const MOST = 9;

export interface GridEvents {
  chosen(camera: CameraId): void;
  /** What there is to say of all of them. */
  told(words: Words): void;
  admitted(admission: Admission): void;
  flattened(): void;
  refused(needsTap: boolean): void;
}

export class Grid {
  readonly #root = element("grid", HTMLUListElement);
  readonly #robot: RobotId;
  readonly #token: string | undefined;
  readonly #page: "watch" | "embed";
  readonly #events: GridEvents;
  readonly #life = new AbortController();
  readonly #resizes = new ResizeObserver(() => this.#arrange());
  #tiles: Tile[] = [];
  #shown = "";
  #columns = 1;

  constructor(robot: RobotId, token: string | undefined, page: "watch" | "embed", events: GridEvents) {
    this.#robot = robot;
    this.#token = token;
    this.#page = page;
    this.#events = events;
    const { signal } = this.#life;
    this.#root.hidden = false;
    this.#root.addEventListener("keydown", (event) => this.#step(event), { signal });
    document.addEventListener("visibilitychange", () => this.#watch(), { signal });
    this.#resizes.observe(this.#root);
  }

  /** Those are the robot's cameras now. */
  show(cameras: readonly CameraInfo[]): void {
    const shown = JSON.stringify(cameras);
    if (shown === this.#shown) return;
    this.#shown = shown;
    for (const tile of this.#tiles) tile.close();
    this.#tiles = cameras.slice(0, MOST).map((camera, at) => this.#tile(camera, String(at + 1)));
    this.#root.replaceChildren(...this.#tiles.map(({ root }) => root));
    this.#arrange();
    this.#watch();
  }

  focus(): void {
    this.#tiles[0]?.link.focus({ preventScroll: true });
  }

  play(): void {
    for (const { pane } of this.#tiles) pane.play();
  }

  close(): void {
    this.#life.abort();
    this.#resizes.disconnect();
    for (const tile of this.#tiles) tile.close();
    this.#root.hidden = true;
  }

  #tile(camera: CameraInfo, key: string): Tile {
    const target = { robot: this.#robot, camera: camera.id };
    return new Tile(target, this.#token, camera, watchPath(this.#robot, camera.id, this.#page), key, {
      ...this.#events,
      chosen: () => this.#events.chosen(camera.id),
      told: () => this.#tell(),
    });
  }

  #watch(): void {
    for (const tile of this.#tiles) tile.watch(!document.hidden);
  }

  #arrange(): void {
    const { clientWidth, clientHeight } = this.#root;
    this.#columns = columnsFor(this.#tiles.length, clientWidth, clientHeight);
    this.#root.style.setProperty("--columns", String(this.#columns));
    for (const tile of this.#tiles) tile.fit(clientWidth / this.#columns);
  }

  /** Arrows go from tile to tile. */
  #step(event: KeyboardEvent): void {
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.#columns, ArrowDown: this.#columns };
    const step = Object.entries(steps).find(([key]) => key === event.key)?.[1];
    const at = this.#tiles.findIndex(({ link }) => link === document.activeElement);
    if (step === undefined || at < 0) return;
    this.#tiles[at + step]?.link.focus();
    event.preventDefault();
  }

  #tell(): void {
    const all = this.#tiles.map(({ words }) => words);
    const [first] = all;
    if (!first) return;
    const lost = all.filter(({ mark }) => mark !== "live");
    const state = t("{live} of {count} cameras are live.", { live: all.length - lost.length, count: all.length });
    this.#events.told({ mark: (lost[0] ?? first).mark, state, problem: "", badge: "", canRetry: false });
  }
}
