/**
 * What people write with three.js, after its own example of a panoramic video: a sphere that is seen from within.
 *
 * But for one thing in its favour: it draws when there is a frame, not sixty times a second.
 */
import {
  Mesh,
  MeshBasicMaterial,
  PerspectiveCamera,
  Scene,
  SphereGeometry,
  SRGBColorSpace,
  VideoTexture,
  WebGLRenderer,
} from "three";
import type { Way } from "./main";

export const three: Way = (canvas, video) => {
  const camera = new PerspectiveCamera(75, innerWidth / innerHeight, 0.25, 10);
  const geometry = new SphereGeometry(5, 60, 40);
  geometry.scale(-1, 1, 1);
  const texture = new VideoTexture(video);
  texture.colorSpace = SRGBColorSpace;
  const sphere = new Mesh(geometry, new MeshBasicMaterial({ map: texture }));
  // The picture's middle is ahead.
  sphere.rotation.y = -Math.PI / 2;
  const scene = new Scene();
  scene.add(sphere);
  const renderer = new WebGLRenderer({ canvas });
  renderer.setPixelRatio(devicePixelRatio);
  renderer.setSize(innerWidth, innerHeight);
  return () => {
    requestAnimationFrame(() => renderer.render(scene, camera));
  };
};
