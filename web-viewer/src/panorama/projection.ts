/** Which way of drawing belongs to which projection of the protocol. */
import type { Projection } from "../protocol.gen";
import { equirectangular } from "./equirectangular";
import { dualFisheye, fisheye } from "./fisheye";
import type { Surround } from "./surround";

/** Nothing for a flat picture: it is shown as it comes, without WebGL. */
export function surroundOf(projection: Projection): Surround | undefined {
  switch (projection.kind) {
    case "flat":
      return undefined;
    case "equirectangular":
      return equirectangular(projection.coverage);
    case "fisheye":
      return fisheye(projection.lens);
    case "dual_fisheye":
      return dualFisheye(projection.lenses, projection.blend);
    default:
      return projection satisfies never;
  }
}
