/** What the person takes home: pictures, and recordings made in the browser. */
import { element, setText } from "./dom";
import type { Picture } from "./picture";
import { t } from "./text";
import { clock, fileName, megabytes } from "./measures";

/** How often a recorder is asked for what it has, and the person told how much that is. */
const SLICE = 1000;

/** A browser may keep all of a recording in memory until it is saved. */
const LARGEST = 1e9;

/** The first that a browser can write is taken: what plays everywhere comes first. */
const KINDS = ["video/mp4;codecs=avc1.42E01F,mp4a.40.2", "video/mp4", "video/webm;codecs=vp8,opus", "video/webm"];

export class Keepsakes {
  readonly #picture: Picture;
  readonly #name: () => string;
  readonly #explain: (text: string) => void;
  readonly #button = element("record", HTMLButtonElement);
  readonly #progress = element("recording", HTMLElement);
  #recording: Recording | undefined;
  /** Whether somebody wants a recording: a stream that ends does not end that. */
  #wanted = false;

  /** `name` is what the files are called after. */
  constructor(picture: Picture, name: () => string, explain: (text: string) => void) {
    this.#picture = picture;
    this.#name = name;
    this.#explain = explain;
    this.#button.hidden = kind() === undefined;
    // Nobody is to lose a recording by closing the page.
    addEventListener("beforeunload", (event) => {
      if (this.busy) event.preventDefault();
    });
  }

  /** Saves what is seen, or all that is around. */
  async save(what: "seen" | "sphere"): Promise<void> {
    const taken = await (what === "seen" ? this.#picture.seen() : this.#picture.sphere());
    if (taken) download(taken, fileName(this.#name(), new Date(), "jpg"));
    else this.#explain(t("There is no picture to save yet."));
  }

  toggleRecording(): void {
    this.#wanted = !this.#wanted;
    if (this.#wanted) this.#begin();
    else this.#recording?.stop();
  }

  /** The picture comes by another stream: what was recorded is saved, and goes on in another file. */
  follow(): void {
    if (!this.#wanted) return;
    this.#recording?.stop();
    this.#begin();
  }

  /** Whether something is recorded. */
  get busy(): boolean {
    return this.#wanted;
  }

  close(): void {
    this.#wanted = false;
    this.#recording?.stop();
  }

  #begin(): void {
    const type = kind();
    const stream = this.#picture.video.srcObject;
    if (!type || !(stream instanceof MediaStream) || !stream.active) {
      this.#wanted = false;
      return this.#explain(t("There is no picture to record yet."));
    }
    const name = fileName(this.#name(), new Date(), type.startsWith("video/mp4") ? "mp4" : "webm");
    const recording: Recording = new Recording(stream, type, {
      progress: (seconds, bytes) => {
        setText(this.#progress, `● ${clock(seconds)} · ${megabytes(bytes)}`);
        if (bytes > LARGEST && this.#recording === recording) this.follow();
      },
      done: (file) => {
        if (file.size > 0) download(file, name);
        if (this.#recording === recording) this.#show(undefined);
      },
      failed: () => {
        this.#wanted = false;
        this.#explain(t("This browser cannot record the picture."));
      },
    });
    this.#show(recording);
  }

  #show(recording: Recording | undefined): void {
    this.#recording = recording;
    this.#button.ariaPressed = String(recording !== undefined);
    this.#progress.hidden = recording === undefined;
    setText(this.#progress, recording ? `● ${clock(0)}` : "");
  }
}

interface RecordingEvents {
  progress(seconds: number, bytes: number): void;
  done(file: Blob): void;
  failed(): void;
}

/** One file. The browser keeps its parts, on disk if they are many. */
class Recording {
  readonly #recorder: MediaRecorder;
  readonly #parts: Blob[] = [];
  readonly #timer: number;

  constructor(stream: MediaStream, type: string, events: RecordingEvents) {
    // Tracks of its own: those of the picture may go on.
    this.#recorder = new MediaRecorder(stream, { mimeType: type });
    const began = performance.now();
    let bytes = 0;
    // Browsers hand over what they have when it suits them, which may take seconds.
    this.#timer = setInterval(() => events.progress((performance.now() - began) / 1000, bytes), SLICE);
    this.#recorder.addEventListener("dataavailable", ({ data }) => {
      if (data.size > 0) this.#parts.push(data);
      bytes += data.size;
    });
    this.#recorder.addEventListener("stop", () => {
      clearInterval(this.#timer);
      events.done(new Blob(this.#parts, { type }));
    });
    this.#recorder.addEventListener("error", () => events.failed());
    this.#recorder.start(SLICE);
  }

  stop(): void {
    if (this.#recorder.state !== "inactive") this.#recorder.stop();
  }
}

function kind(): string | undefined {
  return "MediaRecorder" in globalThis ? KINDS.find((type) => MediaRecorder.isTypeSupported(type)) : undefined;
}

function download(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  // The download has its own hold on the file, once it has begun.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
