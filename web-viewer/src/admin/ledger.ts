/** The robots that may come and the links by which viewers do: what is there, and what can be done about it. */
import { element } from "../dom";
import { watchPath } from "../route";
import { api, isAccess, isRole, type Access, type KnownRobot, type Link } from "./api";
import { body, button, Kept, made } from "./dom";

const WHO: Record<Access, string> = {
  public: "everybody",
  link: "whoever has a link",
  private: "operators",
};

export interface LedgerEvents {
  /** Something is to be done; what is shown is looked up again afterwards. */
  act(what: Promise<void>): void;
  /** Something is shown once. */
  reveal(title: string, text: string): void;
}

export class Ledger {
  readonly #events: LedgerEvents;
  readonly #robots = new Kept(body("robots"));
  readonly #links = new Kept(body("links"));
  readonly #linkForm = element("add-link", HTMLFormElement);
  readonly #choice = new Kept(named(this.#linkForm, "robot", HTMLSelectElement));

  constructor(events: LedgerEvents) {
    this.#events = events;
    const robotForm = element("add-robot", HTMLFormElement);
    robotForm.addEventListener("submit", (event) => {
      event.preventDefault();
      events.act(this.#addRobot(robotForm));
    });
    this.#linkForm.addEventListener("submit", (event) => {
      event.preventDefault();
      events.act(this.#addLink(this.#linkForm));
    });
  }

  async look(): Promise<void> {
    const [robots, links] = await Promise.all([api.robots(), api.links()]);
    this.#robots.show(robots, () => robots.map((robot) => this.#robot(robot)));
    this.#links.show(links, () => links.map((link) => this.#link(link)));
    const names = robots.map(({ robot }) => robot);
    this.#choice.show(names, () => names.map((name) => made("option", name)));
  }

  #robot({ robot, access, keys }: KnownRobot): HTMLTableRowElement {
    const choice = made("select");
    choice.ariaLabel = `Who may watch ${robot}`;
    for (const [value, label] of Object.entries(WHO)) {
      const option = made("option", label);
      option.value = value;
      option.selected = value === access;
      choice.append(option);
    }
    choice.addEventListener("change", () => {
      if (isAccess(choice.value)) this.#events.act(api.setAccess(robot, choice.value));
    });
    const rotate = button("New key", () => this.#events.act(this.#rotate(robot)));
    const remove = button("Remove", () => {
      if (confirm(`Remove robot ${robot} with its keys and links? Its viewers leave.`))
        this.#events.act(api.removeRobot(robot));
    });
    const link = made("a", robot);
    link.href = watchPath(robot);
    return made("tr", [
      made("td", [link]),
      made("td", [choice]),
      made("td", String(keys)),
      made("td", [rotate, " ", remove]),
    ]);
  }

  #link({ id, robot, role, note, max_viewers: most, expires, revoked }: Link): HTMLTableRowElement {
    const until = revoked ? "taken back" : new Date(expires * 1000).toLocaleString();
    const cells = [robot, note === "" ? id : note, role, most === null ? "any number" : `${most} at a time`, until];
    const revoke = button("Take back", () => this.#events.act(api.revoke(id)));
    return made("tr", [...cells.map((text) => made("td", text)), made("td", revoked ? [] : [revoke])]);
  }

  async #addRobot(form: HTMLFormElement): Promise<void> {
    const robot = named(form, "robot", HTMLInputElement).value;
    const access = named(form, "access", HTMLSelectElement).value;
    if (!isAccess(access)) return;
    const { key } = await api.addRobot(robot, access);
    form.reset();
    this.#reveal(robot, key);
  }

  async #rotate(robot: string): Promise<void> {
    const { key } = await api.rotate(robot);
    this.#reveal(robot, key);
  }

  #reveal(robot: string, key: string): void {
    const config = `server = "${location.origin}"\nrobot = "${robot}"\nkey = "${key}"`;
    this.#events.reveal(`For the config of robot ${robot}`, config);
  }

  async #addLink(form: HTMLFormElement): Promise<void> {
    const robot = named(form, "robot", HTMLSelectElement).value;
    const role = named(form, "role", HTMLSelectElement).value;
    if (!isRole(role)) return;
    const lasts = Number(named(form, "lasts", HTMLSelectElement).value);
    const most = named(form, "max_viewers", HTMLInputElement).value;
    const note = named(form, "note", HTMLInputElement).value;
    const { path } = await api.addLink({ robot, role, lasts, note, max_viewers: most === "" ? null : Number(most) });
    form.reset();
    this.#events.reveal(`A link to ${role} robot ${robot}`, location.origin + path);
  }
}

function named<T extends HTMLElement>(form: HTMLFormElement, name: string, type: new () => T): T {
  const found = form.elements.namedItem(name);
  if (!(found instanceof type)) throw new Error(`admin.html has no ${type.name} ${name} in #${form.id}`);
  return found;
}
