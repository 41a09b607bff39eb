/** The list of live robots. It looks again every few seconds, and rests while nobody looks at it. */
import { titleOf } from "./cameras";
import { element, setText } from "./dom";
import type { LiveRobot } from "./protocol.gen";
import { liveRobots } from "./robots";
import { watchPath } from "./route";

const EVERY = 3000;

export class Home {
  readonly #list = element("robots", HTMLUListElement);
  readonly #summary = element("summary", HTMLParagraphElement);
  readonly #life = new AbortController();
  readonly #timer: number;
  #shown = "";

  constructor() {
    const { signal } = this.#life;
    document.title = "Live robots · Panocast";
    this.#timer = setInterval(() => document.hidden || this.#look(), EVERY);
    document.addEventListener("visibilitychange", () => document.hidden || this.#look(), { signal });
    this.#look();
  }

  close(): void {
    this.#life.abort();
    clearInterval(this.#timer);
  }

  #look(): void {
    void liveRobots(this.#life.signal).then((robots) => this.#show(robots));
  }

  #show(robots: LiveRobot[] | undefined): void {
    setText(this.#summary, summaryOf(robots));
    document.body.dataset["robots"] = robots ? String(robots.length) : "unknown";
    // A list that was rebuilt for nothing would take the focus away from whoever is in it.
    const shown = JSON.stringify(robots ?? []);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#list.replaceChildren(...(robots ?? []).map(card));
  }
}

export function summaryOf(robots: readonly LiveRobot[] | undefined): string {
  if (!robots) return "The server cannot be reached. Trying again…";
  if (robots.length === 0) return "No robot is live right now. This page shows each one as soon as it connects.";
  return robots.length === 1 ? "One robot is live." : `${robots.length} robots are live.`;
}

function card({ robot, cameras, viewers }: LiveRobot): HTMLLIElement {
  const item = document.createElement("li");
  const main = link(watchPath(robot), robot);
  main.className = "robot";
  const about = document.createElement("p");
  const surround = cameras.some(({ video }) => video.projection.kind !== "flat") ? "360° · " : "";
  about.textContent = `${surround}${viewers} ${viewers === 1 ? "viewer" : "viewers"}`;
  item.append(main, about);
  if (cameras.length > 1) {
    const row = document.createElement("div");
    row.className = "chips";
    row.append(...cameras.map((camera) => link(watchPath(robot, camera.id), titleOf(camera))));
    item.append(row);
  }
  return item;
}

function link(href: string, text: string): HTMLAnchorElement {
  const made = document.createElement("a");
  made.href = href;
  made.textContent = text;
  return made;
}
