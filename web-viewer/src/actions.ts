/** Everything that buttons and keys can ask for. They ask for the same. Pure. */
import { startOf, stepped, zoomed, type Look } from "./view";

export const LOOKS = {
  left: (look) => stepped(look, -1, 0),
  right: (look) => stepped(look, 1, 0),
  up: (look) => stepped(look, 0, 1),
  down: (look) => stepped(look, 0, -1),
  in: (look) => zoomed(look, 1 / 1.15),
  out: (look) => zoomed(look, 1.15),
  home: (look) => startOf(look.eye),
} satisfies Record<string, (look: Look) => Look>;

export type LookAction = keyof typeof LOOKS;

export type Deed =
  | "fullscreen"
  | "grid"
  | "gyro"
  | "headset"
  | "help"
  | "level"
  | "mute"
  | "pip"
  | "record"
  | "save"
  | "saveAll"
  | "share"
  | "stats"
  | "way";

export type Action = LookAction | Deed;

const KEYS = new Map<string, Action>([
  ["ArrowLeft", "left"],
  ["ArrowRight", "right"],
  ["ArrowUp", "up"],
  ["ArrowDown", "down"],
  ["+", "in"],
  ["=", "in"],
  ["-", "out"],
  ["Home", "home"],
  ["f", "fullscreen"],
  ["g", "grid"],
  ["h", "level"],
  ["i", "stats"],
  ["l", "share"],
  ["m", "mute"],
  ["p", "way"],
  ["r", "record"],
  ["s", "save"],
  ["v", "headset"],
  ["?", "help"],
]);

/** Every button of the page and what it does. */
export const BUTTONS: readonly [id: string, action: Action][] = [
  ["look-left", "left"],
  ["look-right", "right"],
  ["look-up", "up"],
  ["look-down", "down"],
  ["zoom-in", "in"],
  ["zoom-out", "out"],
  ["recentre", "home"],
  ["fullscreen", "fullscreen"],
  ["mute", "mute"],
  ["stats-toggle", "stats"],
  ["help-toggle", "help"],
  ["way", "way"],
  ["level", "level"],
  ["save", "save"],
  ["save-all", "saveAll"],
  ["record", "record"],
  ["pip", "pip"],
  ["gyro", "gyro"],
  ["headset", "headset"],
  ["share", "share"],
];

type Pressed = Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "altKey" | "shiftKey">;

/** What a key asks for: an action, or the camera of that place. Tab and Esc are the browser's. */
export function askedBy(event: Pressed): Action | { camera: number } | undefined {
  if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
  if (/^[1-9]$/.test(event.key)) return { camera: Number(event.key) - 1 };
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key === "s" && event.shiftKey) return "saveAll";
  return KEYS.get(key);
}

/** Whether it concerns more than one picture, and so makes sense where several are shown. */
export function isOfAll(action: Action): boolean {
  return action === "fullscreen" || action === "grid" || action === "help";
}

export function isLook(action: Action): action is LookAction {
  return action in LOOKS;
}
