/**
 * `<panocast-view>`: a robot's live picture as an element of any page, with attributes, methods and events.
 *
 * A file of its own at a name that stays, `/embed.js`, which pages of others load. The picture is in a frame: nothing of
 * theirs reaches into it, and nothing of it into theirs, but the messages below.
 */
const FEATURES =
  "fullscreen; autoplay; gyroscope; accelerometer; magnetometer; xr-spatial-tracking; picture-in-picture; clipboard-write";

/** Where this file came from is where the picture comes from, unless `server` says otherwise. */
const HOME = document.currentScript instanceof HTMLScriptElement ? new URL(document.currentScript.src).origin : "";

/** What the frame tells: each is an event of the element, with this as its `detail`. */
type Told =
  | { panocast: "state"; state: string; text: string }
  | { panocast: "look"; yaw: number; pitch: number; fov: number; eye: string };
const TOLD = ["state", "look"];

const LOOK = ["yaw", "pitch", "fov", "eye"] as const;
const PLACE = ["server", "robot", "camera", "grid", "token"] as const;

function framed(): HTMLIFrameElement {
  const frame = document.createElement("iframe");
  frame.allow = FEATURES;
  frame.allowFullscreen = true;
  return frame;
}

class PanocastView extends HTMLElement {
  static readonly observedAttributes = [...PLACE, ...LOOK, "muted"];

  #frame = framed();
  #look: Partial<Record<string, unknown>> = {};
  #state = "connecting";
  /** What was said before there was somebody to hear it; nothing once there is. */
  #unheard: object[] | undefined = [];

  constructor() {
    super();
    const style = new CSSStyleSheet();
    style.replaceSync(
      ":host{display:block;aspect-ratio:16/9;overflow:hidden}:host([hidden]){display:none}iframe{width:100%;height:100%;border:0;display:block}",
    );
    const root = this.attachShadow({ mode: "open", delegatesFocus: true });
    root.adoptedStyleSheets = [style];
    root.append(this.#frame);
  }

  /** `connecting`, `live`, `stalled`, `reconnecting`, `waiting`, `failed` or `refused`. */
  get state(): string {
    return this.#state;
  }

  /** Where the viewer looks: `yaw`, `pitch`, `fov` in degrees, `eye`. */
  get look(): Readonly<Partial<Record<string, unknown>>> {
    return this.#look;
  }

  lookAt(look: { yaw?: number; pitch?: number; fov?: number; eye?: string }): void {
    this.#say({ panocast: "look", ...look });
  }

  mute(): void {
    this.toggleAttribute("muted", true);
  }

  unmute(): void {
    this.toggleAttribute("muted", false);
    this.#say({ panocast: "muted", muted: false });
  }

  connectedCallback(): void {
    addEventListener("message", this.#hear);
    this.#open();
  }

  disconnectedCallback(): void {
    removeEventListener("message", this.#hear);
    this.#begin();
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (before === now || !this.isConnected) return;
    if (name === "muted") this.#say({ panocast: "muted", muted: now !== null });
    else if (PLACE.some((place) => place === name)) this.#open();
    else if (now !== null) this.lookAt({ [name]: name === "eye" ? now : Number(now) });
  }

  get #server(): string {
    return this.getAttribute("server") ?? HOME;
  }

  /**
   * Nobody is there yet. The frame is another one, since the page in the former still speaks until it is gone: taken for
   * the page that comes, it would be told what that one has to hear.
   */
  #begin(): void {
    this.#state = "connecting";
    this.#unheard ??= [];
    const former = this.#frame;
    this.#frame = framed();
    this.#frame.title = this.getAttribute("title") ?? "Live view";
    former.replaceWith(this.#frame);
  }

  #open(): void {
    this.#begin();
    const robot = this.getAttribute("robot");
    if (robot === null) return;
    const camera = this.getAttribute("camera");
    const path = ["embed", robot, ...(camera === null ? [] : [camera])].map(encodeURIComponent).join("/");
    const url = new URL(`/${path}`, this.#server);
    for (const name of LOOK) {
      const value = this.getAttribute(name);
      if (value !== null) url.searchParams.set(name, value);
    }
    if (this.hasAttribute("grid")) url.searchParams.set("grid", "");
    const token = this.getAttribute("token");
    if (token !== null) url.hash = `token=${token}`;
    this.#frame.src = url.href;
  }

  get #origin(): string {
    return new URL(this.#server, location.href).origin;
  }

  #say(message: object): void {
    if (this.#unheard) this.#unheard.push(message);
    else this.#frame.contentWindow?.postMessage(message, this.#origin);
  }

  readonly #hear = ({ source, origin, data }: MessageEvent<unknown>): void => {
    if (source !== this.#frame.contentWindow || origin !== this.#origin || !isTold(data)) return;
    const unheard = this.#unheard ?? [];
    this.#unheard = undefined;
    for (const message of unheard) this.#say(message);
    const { panocast, ...detail } = data;
    if (panocast === "look") this.#look = detail;
    if (data.panocast === "state") this.#state = data.state;
    this.dispatchEvent(new CustomEvent(panocast, { detail }));
  };
}

function isTold(data: unknown): data is Told {
  return typeof data === "object" && data !== null && "panocast" in data && TOLD.some((name) => name === data.panocast);
}

if (!customElements.get("panocast-view")) customElements.define("panocast-view", PanocastView);
