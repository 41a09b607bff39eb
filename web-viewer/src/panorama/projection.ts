/** Which way of drawing belongs to which projection of the protocol. */
import type { Projection } from "../protocol.gen";
import { equirectangular } from "./equirectangular";
import type { Surround } from "./surround";

/** Nothing for a flat picture: it is shown as it comes, without WebGL. */
export function surroundOf(projection: Projection): Surround | undefined {
  switch (projection.kind) {
    case "flat":
      return undefined;
    case "equirectangular":
      return equirectangular;
    default:
      return projection satisfies never;
  }
}
