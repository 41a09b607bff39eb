/**
 * The list of live robots, each with a picture of now. It looks again every few seconds, and rests while nobody looks at it.
 *
 * Where there is only one robot, whoever comes is taken straight to it; `/?list` stays.
 */
import { titleOf } from "./cameras";
import { element, setText } from "./dom";
import type { LiveRobot, RobotId } from "./protocol.gen";
import { liveRobots } from "./robots";
import { watchPath } from "./route";
import { t } from "./text";
import { Thumbnail } from "./thumbnail";

const EVERY = 3000;

export class Home {
  readonly #list = element("robots", HTMLUListElement);
  readonly #summary = element("summary", HTMLParagraphElement);
  readonly #life = new AbortController();
  readonly #timer: number;
  #shown = "";
  readonly #thumbnails = new Map<RobotId, Thumbnail>();
  #straight: boolean;

  constructor(query: string) {
    this.#straight = !new URLSearchParams(query).has("list");
    const { signal } = this.#life;
    document.title = `${t("Live robots")} · Panocast`;
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
    const [only, another] = robots ?? [];
    if (this.#straight && only && !another) return location.replace(watchPath(only.robot));
    // Who is here with none or several is not sent away once there is one.
    if (robots) this.#straight = false;
    setText(this.#summary, summaryOf(robots));
    document.body.dataset["robots"] = robots ? String(robots.length) : "unknown";
    // A list that was rebuilt for nothing would take the focus away from whoever is in it.
    const shown = JSON.stringify(robots ?? []);
    if (shown !== this.#shown) {
      this.#shown = shown;
      this.#list.replaceChildren(...(robots ?? []).map((robot) => card(robot, this.#thumbnail(robot.robot))));
    }
    for (const { robot } of robots ?? []) this.#thumbnail(robot).renew(performance.now());
    // Who comes back may be somewhere else by then.
    const live = new Set(robots?.map(({ robot }) => robot));
    for (const robot of this.#thumbnails.keys()) if (robots && !live.has(robot)) this.#thumbnails.delete(robot);
  }

  #thumbnail(robot: RobotId): Thumbnail {
    const thumbnail = this.#thumbnails.get(robot) ?? new Thumbnail(robot);
    this.#thumbnails.set(robot, thumbnail);
    return thumbnail;
  }
}

export function summaryOf(robots: readonly LiveRobot[] | undefined): string {
  if (!robots) return t("The server cannot be reached. Trying again…");
  if (robots.length === 0) return t("No robot is live right now. This page shows each one as soon as it connects.");
  return robots.length === 1 ? t("One robot is live.") : t("{count} robots are live.", { count: robots.length });
}

function card({ robot, cameras, viewers }: LiveRobot, { image }: Thumbnail): HTMLLIElement {
  const item = document.createElement("li");
  const main = link(watchPath(robot), robot);
  main.className = "robot";
  const about = document.createElement("p");
  const surround = cameras.some(({ video }) => video.projection.kind !== "flat") ? "360° · " : "";
  about.textContent = surround + (viewers === 1 ? t("1 viewer") : t("{count} viewers", { count: viewers }));
  item.append(image, main, about);
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
