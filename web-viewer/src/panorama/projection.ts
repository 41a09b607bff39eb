/** Which way of drawing belongs to which projection of the protocol. */
import type { Projection } from "../protocol.gen";
import { cube } from "./cube";
import { equirectangular } from "./equirectangular";
import { dualFisheye, fisheye } from "./fisheye";
import type { Surround } from "./surround";

/** Nothing for a flat picture, or one of a kind that is not known: it is shown as it comes, without WebGL. */
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
    case "cube_map":
    case "equiangular":
      return cube(projection.layout, projection.kind === "equiangular");
    default:
      // The guards let through what a later version has.
      projection satisfies never;
      return undefined;
  }
}
