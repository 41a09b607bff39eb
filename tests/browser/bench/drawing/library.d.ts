/** The few names of three.js that are used here: its types are a package of their own, with eight more behind it. */
declare module "three" {
  export const SRGBColorSpace: string;
  export class PerspectiveCamera {
    readonly fov: number;
    constructor(fov: number, aspect: number, near: number, far: number);
  }
  export class SphereGeometry {
    constructor(radius: number, widthSegments: number, heightSegments: number);
    scale(x: number, y: number, z: number): this;
  }
  export class VideoTexture {
    constructor(video: HTMLVideoElement);
    colorSpace: string;
  }
  export class MeshBasicMaterial {
    readonly map: VideoTexture;
    constructor(parameters: { map: VideoTexture });
  }
  export class Mesh {
    constructor(geometry: SphereGeometry, material: MeshBasicMaterial);
    readonly rotation: { y: number };
  }
  export class Scene {
    add(mesh: Mesh): this;
  }
  export class WebGLRenderer {
    constructor(parameters: { canvas: HTMLCanvasElement });
    setPixelRatio(ratio: number): void;
    setSize(width: number, height: number): void;
    render(scene: Scene, camera: PerspectiveCamera): void;
  }
}
