/** Who is live, what each viewer gets, and how it went in the last minutes. */
import { element, setText } from "../dom";
import type { CameraOverview, Event, Overview, RobotOverview, ViewerOverview } from "../protocol.gen";
import { watchPath } from "../route";
import { api } from "./api";
import { button, made } from "./dom";
import { plot } from "../plot";
import { bitrate, count, millis, sentenceOf, share, since } from "./words";

/** Viewers that are listed one by one. */
const MOST_VIEWERS = 50;

export class Live {
  readonly #list = element("live", HTMLUListElement);
  readonly #nobody = element("nobody", HTMLParagraphElement);
  readonly #events = element("events", HTMLOListElement);
  readonly #act: (what: Promise<void>) => void;

  constructor(act: (what: Promise<void>) => void) {
    this.#act = act;
  }

  show(overview: Overview): void {
    const { robots, viewers, connections, at } = overview;
    const people = count(viewers, "viewer", "viewers");
    const summary = `${count(robots.length, "robot", "robots")} live · ${people} · ${connections} connections`;
    setText(element("summary", HTMLParagraphElement), summary);
    this.#nobody.hidden = robots.length > 0;
    const focus = document.activeElement?.id;
    this.#list.replaceChildren(...robots.map((robot) => this.#robot(robot, at)));
    if (focus !== undefined && focus !== "") document.getElementById(focus)?.focus();
    this.#events.replaceChildren(...overview.events.toReversed().map((event) => eventOf(event, at)));
  }

  #robot(robot: RobotOverview, now: number): HTMLLIElement {
    const name = made("a", robot.robot);
    name.href = watchPath(robot.robot);
    const facts = `${count(robot.viewers.length, "viewer", "viewers")} · live for ${since(robot.since, now)}`;
    const item = made("li", [made("h3", [name]), made("p", facts, "facts")]);
    item.append(
      made(
        "div",
        robot.cameras.map((camera) => cameraOf(robot, camera, now)),
        "cameras",
      ),
    );
    const { history } = robot;
    const last = history.at(-1);
    item.append(
      made(
        "div",
        [
          plot(
            `${last?.viewers ?? 0} viewers`,
            history.map((sample) => sample.viewers),
          ),
          plot(
            `${last?.fps?.toFixed(0) ?? "–"} fps`,
            history.map((sample) => sample.fps),
          ),
          plot(
            `${bitrate(last?.bitrate)} out`,
            history.map((sample) => sample.bitrate),
          ),
          plot(
            `${share(last?.loss)} lost`,
            history.map((sample) => sample.loss),
          ),
          plot(
            `${millis(last?.round_trip)} round trip`,
            history.map((sample) => sample.round_trip),
          ),
          plot(
            `${millis(last?.delay)} capture → screen`,
            history.map((sample) => sample.delay),
          ),
        ],
        "plots",
      ),
    );
    if (robot.viewers.length > 0) item.append(this.#viewers(robot, now));
    return item;
  }

  #viewers({ robot, viewers }: RobotOverview, now: number): HTMLElement {
    const head = ["Viewer", "Camera", "For", "Sent", "Rung", "Lost", "Round trip", "Shown", "Delay", ""];
    const rows = viewers.slice(0, MOST_VIEWERS).map((viewer) => this.#viewer(robot, viewer, now));
    const table = made("table", [made("tr", head.map(headed)), ...rows]);
    const more = viewers.length - rows.length;
    return made("div", more > 0 ? [table, made("p", `and ${more} more`)] : [table], "viewers");
  }

  #viewer(robot: string, viewer: ViewerOverview, now: number): HTMLTableRowElement {
    const { session, camera, sent, shown } = viewer;
    const kick = button("Send away", () => this.#act(api.kick(robot, session)));
    kick.id = `kick-${robot}-${session}`;
    kick.ariaLabel = `Send away viewer ${session}`;
    const cells = [
      session,
      camera,
      since(viewer.since, now),
      bitrate(sent?.bitrate),
      sent?.rung === undefined ? "–" : String(sent.rung),
      share(sent?.loss),
      millis(sent?.round_trip),
      shown ? `${shown.fps.toFixed(0)} fps${shown.relayed ? ", relayed" : ""}` : "–",
      millis(shown?.delay),
    ];
    return made("tr", [...cells.map((text) => made("td", text)), made("td", [kick])]);
  }
}

function headed(text: string): HTMLElement {
  if (text === "") return made("td");
  const cell = made("th", text);
  cell.scope = "col";
  return cell;
}

function cameraOf({ robot }: RobotOverview, camera: CameraOverview, now: number): HTMLElement {
  const picture = made("img");
  // Often enough to recognise what is going on, and seldom enough for a thin uplink.
  const turn = Math.floor(now / 30_000);
  picture.src = `/api/v1/robots/${encodeURIComponent(robot)}/cameras/${encodeURIComponent(camera.id)}/snapshot.jpg?${turn}`;
  picture.alt = `What camera ${camera.id} sees`;
  const { report } = camera;
  const encodings = (report?.encodings ?? []).map(
    ({ rung, codec, fps, bitrate: bits }) => `rung ${rung}: ${fps.toFixed(0)} fps, ${bitrate(bits)} (${codec})`,
  );
  const state = report === undefined ? "no report" : report.running ? `${report.fps.toFixed(0)} fps` : "lost";
  const caption = made("figcaption", [camera.title ?? camera.id, ": ", [state, ...encodings].join(" · ")]);
  return made("figure", [picture, caption]);
}

function eventOf(event: Event, now: number): HTMLLIElement {
  const times = event.times > 1 ? ` ×${event.times}` : "";
  return made("li", [made("time", `${since(event.at, now)} ago`), " ", sentenceOf(event) + times]);
}
