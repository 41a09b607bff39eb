import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect } from "@playwright/test";

/** A sound server of its own, whose microphone hears a steady tone. */
export class Pulse {
  readonly #folder = mkdtempSync(join(tmpdir(), "panocast-pulse-"));
  #process: ChildProcess | undefined;

  static async start(): Promise<Pulse> {
    const pulse = new Pulse();
    try {
      await pulse.start();
    } catch (error) {
      await pulse.stop();
      throw error;
    }
    return pulse;
  }

  /** How programs that are to use it are told so. */
  get environment(): Record<string, string> {
    return { PULSE_SERVER: `unix:${this.#socket}` };
  }

  get #socket(): string {
    return join(this.#folder, "native");
  }

  async start(): Promise<void> {
    const modules = [
      `module-native-protocol-unix socket=${this.#socket} auth-anonymous=1 auth-cookie-enabled=0`,
      "module-null-sink sink_name=room",
      "module-sine sink=room frequency=440",
    ];
    const args = ["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--log-level=error"];
    const folders = ["HOME", "XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH", "PULSE_STATE_PATH"];
    this.#process = spawn("pulseaudio", [...args, ...modules.flatMap((module) => ["-L", module])], {
      stdio: "ignore",
      env: { ...process.env, ...Object.fromEntries(folders.map((name) => [name, this.#folder])) },
    });
    await expect.poll(() => existsSync(this.#socket), { message: "the sound server listens" }).toBe(true);
  }

  /** SIGKILL, as when it crashes. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child) return;
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
    rmSync(this.#socket, { force: true });
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true });
  }
}
