import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { expect } from "@playwright/test";

import { freePort } from "./programs.ts";

/** A TURN and STUN server on this machine, as Debian's package installs it. */
export class Coturn {
  readonly port: number;
  readonly #files = mkdtempSync(join(tmpdir(), "panocast-coturn-"));
  readonly #process;
  readonly #ended: Promise<unknown>;
  readonly #sharedSecret: string | undefined;

  private constructor(port: number, sharedSecret: string | undefined) {
    this.port = port;
    this.#sharedSecret = sharedSecret;
    const access =
      sharedSecret === undefined
        ? ["--lt-cred-mech", "--user=robot:secret"]
        : ["--use-auth-secret", `--static-auth-secret=${sharedSecret}`];
    const args = [
      ["-n", "--no-cli", "--no-tls", "--no-dtls", "--allow-loopback-peers", ...access],
      ["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--realm=example.org"],
      ["--no-stdout-log", "--log-file=/dev/null", "--relay-threads=1", "--stale-nonce=600"],
      [`--listening-port=${port}`, `--userdb=${this.#files}/users`, `--pidfile=${this.#files}/pid`],
    ].flat();
    this.#process = spawn("turnserver", args, { cwd: this.#files, stdio: "ignore" });
    this.#ended = once(this.#process, "exit");
  }

  /** With a secret everybody has a name and a password that are made of it; without, the same ones. */
  static async start(sharedSecret?: string): Promise<Coturn> {
    // Free a moment ago, for UDP as for TCP.
    const coturn = new Coturn(await freePort(), sharedSecret);
    await expect.poll(() => coturn.#answers(), { message: "coturn listens" }).toBe(true);
    return coturn;
  }

  /** The server's config that lists this one. */
  listed(query = ""): string {
    const access =
      this.#sharedSecret === undefined
        ? `username = "robot", credential = "secret"`
        : `shared_secret = "${this.#sharedSecret}"`;
    return `[ice]\nservers = [{ urls = ["turn:127.0.0.1:${this.port}${query}"], ${access} }]\n`;
  }

  async stop(): Promise<void> {
    // It leaves nothing behind that would have to be told, and takes its time over a polite request.
    this.#process.kill("SIGKILL");
    await this.#ended;
    rmSync(this.#files, { recursive: true });
  }

  #answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const probe = connect(this.port, "127.0.0.1");
      probe.once("connect", () => resolve(true));
      probe.once("error", () => resolve(false));
      probe.once("close", () => resolve(false));
      probe.once("connect", () => probe.destroy());
    });
  }
}
