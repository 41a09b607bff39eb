/** The page's own way, as `picture.ts` uses it. */
import { Renderer } from "../../../../web-viewer/src/panorama/renderer";
import { sightOf } from "../../../../web-viewer/src/panorama/sight";
import type { Way } from "./main";

export const ours: Way = (cover, video) => {
  const renderer = Renderer.create(cover, video);
  const sight = sightOf({ projection: { kind: "equirectangular" } });
  if (!renderer || !sight || !renderer.show(sight)) throw new Error("this browser has no WebGL2");
  return () => renderer.frame();
};
