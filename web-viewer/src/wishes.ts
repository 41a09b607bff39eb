/** What this viewer asks of its robot with every `watcher`: codecs, quality, another path. Pure. */
import type { VideoCodec, Want, Wishes as WishesSaid } from "./protocol.gen";
import type { Target } from "./steps";

/** The codecs that are worth naming: those a robot of ours can send. */
const NAMED: Record<string, VideoCodec> = { "video/h264": "h264", "video/vp8": "vp8" };

export class Wishes {
  readonly #codecs: () => VideoCodec[];
  /** Whether it is worth to hear how the robot leans. */
  readonly #attitude: boolean;
  /** Absent until somebody chose. Then always said, as Auto has to undo an earlier choice. */
  #want: Want | undefined;
  /** Whether the robot has not heard the last choice yet. */
  #unsaid = false;

  constructor(codecs: () => VideoCodec[], attitude: boolean) {
    this.#codecs = codecs;
    this.#attitude = attitude;
  }

  /** The rung that was chosen; nothing for Auto. */
  get rung(): number | undefined {
    return this.#want?.rung;
  }

  get unsaid(): boolean {
    return this.#unsaid;
  }

  choose({ rung, best }: Want): void {
    this.#want = { ...(rung !== undefined && { rung }), ...(best !== undefined && { best }) };
    this.#unsaid = true;
  }

  /** What was chosen for one camera means nothing for another, nor for the same with fewer rungs than before. */
  forget(): void {
    this.#want = undefined;
    this.#unsaid = false;
  }

  say(restart: boolean): WishesSaid {
    this.#unsaid = false;
    // A browser may learn only while it runs what its hardware decodes.
    const codecs = this.#codecs();
    return {
      ...(codecs.length > 0 && { codecs }),
      ...(this.#want && { want: this.#want }),
      ...(restart && { restart }),
      ...(this.#attitude && { attitude: true }),
    };
  }
}

/** Which of the named codecs a browser says that it decodes; none when it does not say. */
export function codecsOf(capabilities: { codecs: { mimeType: string }[] } | null | undefined): VideoCodec[] {
  const named = (capabilities?.codecs ?? []).flatMap(({ mimeType }) => NAMED[mimeType.toLowerCase()] ?? []);
  return [...new Set(named)];
}

export function sameCamera(a: Target, b: Target): boolean {
  return a.robot === b.robot && a.camera === b.camera;
}
