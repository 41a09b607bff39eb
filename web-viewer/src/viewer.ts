/** The page of one robot: brings together the picture and all that is said and done around it, or shows all cameras at once. */
import { Cameras } from "./cameras";
import { Controls } from "./controls";
import { Deeds } from "./deeds";
import { element } from "./dom";
import { Feed } from "./feed";
import { Grid } from "./grid";
import { Host } from "./host";
import { Picture } from "./picture";
import type { Admission, CameraId, CameraInfo } from "./protocol.gen";
import { Quality } from "./quality";
import { liveRobots } from "./robots";
import { routeOf, watchPath, type Watched } from "./route";
import { StatsPanel } from "./stats-panel";
import { Status } from "./status";
import type { Target } from "./steps";
import { t } from "./text";
import { followTokens, takeToken } from "./token";
import { sameCamera } from "./wishes";
import { wordsFor, type Words } from "./words";

/** Who looks away for longer than this gets no picture meanwhile: it costs robot and network as much as one that is seen. */
const LOOKS_AWAY = 10_000;

export class Viewer {
  #route: Watched;
  readonly #token: string | undefined;
  readonly #picture: Picture;
  readonly #controls: Controls;
  readonly #deeds: Deeds;
  readonly #host: Host | undefined;
  readonly #cameras: Cameras;
  readonly #quality: Quality;
  readonly #status = new Status();
  readonly #stats = new StatsPanel();
  readonly #start = element("start", HTMLButtonElement);
  readonly #life = new AbortController();
  /** One camera is watched, or all are. */
  #feed: Feed | undefined;
  #grid: Grid | undefined;
  #admission: Admission | undefined;
  /** The cameras of the robot, as far as they are known. */
  #all: readonly CameraInfo[] = [];
  #looks = false;
  #patience: number | undefined;

  constructor(route: Watched) {
    this.#route = route;
    this.#token = takeToken(route.target.robot);
    this.#picture = new Picture({ frame: () => this.#feed?.frame(), ...this.#seen });
    this.#deeds = new Deeds({
      picture: this.#picture,
      status: this.#status,
      target: () => this.#target,
      toggleStats: () => this.#stats.toggle(),
      toggleGrid: () => this.#toggleGrid(),
    });
    this.#controls = new Controls(this.#picture, route.page === "embed", this.#deeds.table, (place) =>
      this.#cameras.choose(place),
    );
    this.#host = route.page === "embed" ? new Host(this.#picture) : undefined;
    this.#cameras = new Cameras(route.page, {
      camera: (camera) => this.#switchTo(camera),
      all: () => this.#toggleGrid(),
    });
    this.#cameras.show(route.target.robot, route.target.camera, []);

    const { signal } = this.#life;
    this.#quality = new Quality((rung) => this.#feed?.want(rung === undefined ? {} : { rung }), signal);
    element("retry", HTMLButtonElement).addEventListener("click", () => this.#feed?.retry(), { signal });
    this.#start.addEventListener("click", () => (this.#grid ?? this.#picture).play(), { signal });
    addEventListener("popstate", () => this.#retarget(), { signal });
    followTokens(signal);
    document.addEventListener("visibilitychange", () => this.#lookedAway(), { signal });
    this.#feed = this.#watch(route.target);
  }

  close(): void {
    this.#life.abort();
    clearTimeout(this.#patience);
    this.#feed?.close();
    this.#grid?.close();
    this.#controls.close();
    this.#deeds.close();
    this.#host?.close();
    this.#picture.close();
  }

  /** What happens to any picture. */
  get #seen() {
    return {
      flattened: () => this.#status.explain(t("This browser has no WebGL: the 360° picture is shown flat.")),
      refused: (needsTap: boolean) => (this.#start.hidden = !needsTap),
    };
  }

  #lookedAway(): void {
    clearTimeout(this.#patience);
    if (document.hidden) this.#patience = setTimeout(() => this.#pause(), LOOKS_AWAY);
    else if (!this.#grid) this.#feed ??= this.#watch(this.#route.target);
  }

  /** The last picture stays, and is not called live. */
  #pause(): void {
    if (!this.#feed || this.#picture.isElsewhere || this.#deeds.busy) return;
    this.#feed.close();
    this.#feed = undefined;
    this.#show(wordsFor({ kind: "connecting" }));
  }

  #watch(target: Target): Feed {
    return new Feed(target, this.#token, this.#picture, {
      told: (words, session) => this.#show(words, session),
      admitted: (admission) => this.#admitted(admission),
      connects: () => this.#stats.reset(),
      attached: (by) => {
        document.body.dataset["media"] = by;
        this.#status.explain("");
        this.#deeds.follow();
      },
      sampled: (sample, delays) => this.#stats.show(sample, delays),
    });
  }

  #show(words: Words, session?: string): void {
    this.#status.show(words, session);
    this.#picture.live = words.mark === "live";
    this.#host?.tell(words.mark, [words.state, words.problem].filter(Boolean).join(" "));
  }

  /** What is watched, as far as it is known. */
  get #target(): Target {
    const { robot, camera } = this.#admission ?? this.#route.target;
    return { ...(robot !== undefined && { robot }), ...(camera !== undefined && { camera }) };
  }

  #admitted(admission: Admission): void {
    this.#admission = admission;
    if (!admission.resumed) this.#cameras.show(admission.robot, admission.camera, this.#all);
    this.#quality.show(admission.video.rungs, this.#feed?.rung);
    this.#lookAround();
  }

  /** Finds out which cameras there are. */
  #lookAround(): void {
    // Several may wonder at once.
    if (this.#looks) return;
    this.#looks = true;
    void liveRobots(this.#life.signal, this.#token).then((robots) => {
      this.#looks = false;
      const robot = robots?.find((live) => live.robot === this.#admission?.robot);
      if (!robot) return;
      this.#all = robot.cameras;
      this.#showCameras();
    });
  }

  #showCameras(): void {
    const { robot, camera } = this.#target;
    if (robot === undefined) return;
    const grid = this.#grid !== undefined || (this.#route.grid && this.#all.length > 1);
    this.#cameras.show(robot, camera, this.#all, { grid });
    if (!grid) return;
    if (!this.#grid) this.#rest();
    this.#grid ??= new Grid(robot, this.#token, this.#route.page, {
      chosen: (chosen) => this.#switchTo(chosen),
      told: (words) => this.#show(words),
      admitted: () => this.#lookAround(),
      ...this.#seen,
    });
    this.#grid.show(this.#all);
  }

  /** The one picture is put away. */
  #rest(): void {
    this.#feed?.close();
    this.#feed = undefined;
    this.#deeds.close();
    this.#picture.detach();
    this.#status.explain("");
    document.body.dataset["grid"] = "";
  }

  #switchTo(camera: CameraId): void {
    const { robot } = this.#target;
    if (robot !== undefined) this.#go(watchPath(robot, camera, this.#route.page));
  }

  /** From one camera to all, or back to the one that was seen before. */
  #toggleGrid(): void {
    if (this.#route.grid) this.#go(location.pathname);
    else if (this.#all.length > 1) this.#go(`${location.pathname}?grid`);
  }

  #go(address: string): void {
    history.pushState(null, "", address);
    this.#retarget();
  }

  #retarget(): void {
    const route = routeOf(location.pathname, location.search);
    const before = this.#route;
    if (route.page === "home") return;
    this.#route = route;
    if (this.#grid) return route.grid ? undefined : this.#closeGrid();
    if (route.grid && this.#all.length > 1) return this.#openGrid();
    // Perhaps another look.
    if (sameCamera(route.target, before.target)) return;
    // What another camera has to choose from is not known yet.
    this.#quality.show([], undefined);
    this.#feed?.tell({ type: "target", target: route.target });
  }

  #openGrid(): void {
    this.#showCameras();
    this.#grid?.focus();
  }

  #closeGrid(): void {
    this.#grid?.close();
    this.#grid = undefined;
    delete document.body.dataset["grid"];
    const { robot, camera } = this.#route.target;
    this.#cameras.show(robot ?? this.#target.robot, camera, this.#all);
    this.#quality.show([], undefined);
    this.#feed = this.#watch(this.#route.target);
    this.#picture.focus();
  }
}
