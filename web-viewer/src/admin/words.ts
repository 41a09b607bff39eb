/** Figures and events in words. Pure. */
import type { Event } from "../protocol.gen";

export function bitrate(bits: number | undefined): string {
  if (bits === undefined) return "–";
  if (bits >= 1e6) return `${(bits / 1e6).toFixed(1)} Mbit/s`;
  return `${Math.round(bits / 1e3)} kbit/s`;
}

export function millis(value: number | undefined): string {
  return value === undefined ? "–" : `${Math.round(value)} ms`;
}

export function share(value: number | undefined): string {
  return value === undefined ? "–" : `${(value * 100).toFixed(1)} %`;
}

export function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** How long since, in the largest unit that says something. */
export function since(then: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - then) / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

export function sentenceOf(event: Event): string {
  const robot = event.robot ?? "?";
  const viewer = event.session === undefined ? "A viewer" : `Viewer ${event.session}`;
  const why = event.code === undefined ? "" : ` (${event.code})`;
  switch (event.kind) {
    case "turned_away":
      return `A connection was turned away${why}.`;
    case "robot_up":
      return `Robot ${robot} came.`;
    case "robot_down":
      return `Robot ${robot} left.`;
    case "robot_refused":
      return `Robot ${robot} was refused${why}.`;
    case "joined":
      return `${viewer} joined ${robot}.`;
    case "came_back":
      return `${viewer} came back to ${robot}.`;
    case "left":
      return `${viewer} left ${robot}.`;
    case "refused":
      return `A viewer of ${robot} was refused${why}.`;
    default:
      return event.kind satisfies never;
  }
}
