import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const source = fileURLToPath(new URL("clock.c", import.meta.url));

/**
 * A wall clock for single programs, which is set while they run as a person or NTP sets a machine's: all of a program sees
 * it, and what counts time that only goes on is left alone.
 */
export class WallClock {
  readonly #folder = mkdtempSync(join(tmpdir(), "panocast-clock-"));
  readonly #wrongBy = join(this.#folder, "wrong-by");
  readonly #library = join(this.#folder, "clock.so");

  constructor(seconds = 0) {
    this.set(seconds);
    execFileSync("cc", ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", this.#library, source]);
  }

  /** For the programs that are to go by it. */
  get environment(): Record<string, string> {
    return { LD_PRELOAD: this.#library, WRONG_BY: this.#wrongBy };
  }

  /** It shows so many seconds more than the machine's from now on. */
  set(seconds: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(seconds));
    // In place and never empty, as programs have it mapped.
    const file = openSync(this.#wrongBy, constants.O_RDWR | constants.O_CREAT);
    writeSync(file, bytes, 0, bytes.length, 0);
    closeSync(file);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }
}
