/** How several pictures share a screen. Pure. */
import type { Rung } from "./protocol.gen";

/** Most cameras see more wide than high. */
const SHAPE = 16 / 9;

/** The columns with which the pictures come out largest. */
export function columnsFor(count: number, width: number, height: number): number {
  const size = (columns: number): number => Math.min(width / columns, (height / Math.ceil(count / columns)) * SHAPE);
  let best = 1;
  for (let columns = 2; columns <= count; columns += 1) if (size(columns) > size(best)) best = columns;
  return best;
}

/** The place of the lowest rung, of those listed best first, that fills a width. */
export function rungFor(rungs: readonly Pick<Rung, "width">[], width: number): number {
  return Math.max(0, rungs.filter((rung) => rung.width >= width).length - 1);
}
