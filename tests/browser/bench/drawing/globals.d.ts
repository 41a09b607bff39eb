/** What the page lets be read and set from outside. */
interface Window {
  counts: {
    /** Frames that came, and were drawn. */
    frames: number;
    /** Frames that the browser says it has shown. */
    shown: number;
    /** What taking over and drawing them took of the page's thread, in milliseconds. */
    held: number;
  };
  /** From now on each drawing waits until the GPU has done it. */
  finish: boolean;
  /** What the canvas shows of the video's first frame: 16 × 9 pixels evenly across, red, green and blue each. */
  first(): Promise<number[]>;
}
