import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect } from "@playwright/test";

import { freePort } from "./programs.ts";

const KEY = "panocast";
const SECRET = "0123456789abcdef0123456789abcdef";

/** A LiveKit of a test's own. */
export class LiveKit {
  readonly #folder = mkdtempSync(join(tmpdir(), "panocast-livekit-"));
  readonly #program: string;
  readonly #port: number;
  /** Where its media leaves from. */
  readonly media: number;
  #process: ChildProcess | undefined;

  private constructor(program: string, port: number, media: number) {
    this.#program = program;
    this.#port = port;
    this.media = media;
    const config = {
      port,
      bind_addresses: ["127.0.0.1"],
      keys: { [KEY]: SECRET },
      logging: { level: "warn" },
      rtc: {
        udp_port: media,
        tcp_port: 0,
        use_external_ip: false,
        node_ip: "127.0.0.1",
        enable_loopback_candidate: true,
        // Browsers do not say what their addresses are.
        prflx_acceptance_min_wait: "20ms",
        // What it has by other interfaces it would give out as this address as well, and hear nothing there.
        interfaces: { includes: ["lo"] },
      },
    };
    // JSON is YAML.
    writeFileSync(this.#config, JSON.stringify(config));
  }

  static async start(program: string): Promise<LiveKit> {
    const livekit = new LiveKit(program, await freePort(), await freePort());
    await livekit.comeBack();
    return livekit;
  }

  /** What the server's config says of it. */
  get config(): string {
    return `[sfu]\nkind = "livekit"\nurl = "http://127.0.0.1:${this.#port}"\nkey = "${KEY}"\nsecret = "${SECRET}"\n`;
  }

  async comeBack(): Promise<void> {
    const args = ["--config", this.#config, "--node-ip", "127.0.0.1"];
    const stdio = process.env["LIVEKIT_LOG"] === undefined ? "ignore" : "inherit";
    this.#process = spawn(this.#program, args, { stdio });
    const answers = (): Promise<boolean> =>
      fetch(`http://127.0.0.1:${this.#port}/`).then(
        () => true,
        () => false,
      );
    await expect.poll(answers, { message: "LiveKit is there" }).toBe(true);
  }

  /** SIGKILL: nobody is told anything. */
  async kill(): Promise<void> {
    const { exitCode, signalCode } = this.#process ?? { exitCode: 0, signalCode: null };
    if (!this.#process || exitCode !== null || signalCode !== null) return;
    this.#process.kill("SIGKILL");
    await once(this.#process, "exit");
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true });
  }

  get #config(): string {
    return join(this.#folder, "livekit.yaml");
  }
}
