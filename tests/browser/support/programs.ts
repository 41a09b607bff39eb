import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { expect } from "@playwright/test";

import type { LiveRobot } from "../../../web-viewer/src/protocol.gen.ts";

const folder = fileURLToPath(new URL("..", import.meta.url));
const binaries = process.env["BINARIES"] ?? fileURLToPath(new URL("../../../target/debug", import.meta.url));

/** One of the workspace's programs, as a process of its own. */
export class Program {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor(name: string, args: string[], environment: Record<string, string> = {}) {
    const env = { ...process.env, ...environment };
    this.#process = spawn(`${binaries}/${name}`, args, { stdio: ["ignore", "ignore", "inherit"], env });
    this.#ended = once(this.#process, "exit");
  }

  /** SIGKILL: nobody is told anything. */
  async kill(): Promise<void> {
    await this.end("SIGKILL");
  }

  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill(signal);
      await this.#ended;
    }
  }
}

/** A server, and robots for it, on a port that nobody else has. */
export class Programs {
  readonly url: string;
  readonly #port: number;
  readonly #files = mkdtempSync(join(tmpdir(), "panocast-browser-"));
  readonly #config: string;
  #server: Program | undefined;
  readonly #broadcasters: Program[] = [];

  private constructor(port: number, config: string) {
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.#config = this.#write("server", config);
  }

  /** `config` is the server's, in its own words. */
  static async start(config = ""): Promise<Programs> {
    const programs = new Programs(await freePort(), config);
    await programs.startServer();
    return programs;
  }

  async startServer(): Promise<void> {
    const args = ["--config", this.#config, "--listen", `127.0.0.1:${this.#port}`, "--log", "error"];
    this.#server = new Program("server", args);
    await expect.poll(() => this.#answers("/readyz"), { message: "the server is ready" }).toBe(true);
  }

  async killServer(): Promise<void> {
    await this.#server?.kill();
  }

  /** Starts a broadcaster and waits until viewers can see it. `config` is its own; without it, the tests' common one. */
  async startRobot(config?: string, environment: Record<string, string> = {}): Promise<Program> {
    const robot = this.launchRobot(config, environment);
    await expect.poll(() => this.#live(), { message: "the robot is live" }).toContain("demo");
    return robot;
  }

  /** Starts a broadcaster and waits for nothing. */
  launchRobot(config?: string, environment: Record<string, string> = {}): Program {
    const file = config === undefined ? `${folder}/broadcaster.toml` : this.#write("broadcaster", config);
    const args = ["--config", file, "--server", this.url, "--log", process.env["ROBOT_LOG"] ?? "error"];
    const robot = new Program("broadcaster", args, environment);
    this.#broadcasters.push(robot);
    return robot;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#broadcasters.map((robot) => robot.end()));
    await this.#server?.end();
    rmSync(this.#files, { recursive: true });
  }

  #write(name: string, config: string): string {
    const file = join(this.#files, `${name}.toml`);
    writeFileSync(file, config);
    return file;
  }

  async #answers(path: string): Promise<boolean> {
    return fetch(this.url + path).then(
      (response) => response.ok,
      () => false,
    );
  }

  /** How many watch the default robot, as far as the server knows. */
  async viewers(): Promise<number> {
    const robots = await this.#robots();
    return robots.find(({ robot }) => robot === "demo")?.viewers ?? 0;
  }

  async #live(): Promise<string[]> {
    const robots = await this.#robots();
    return robots.map(({ robot }) => robot);
  }

  async #robots(): Promise<LiveRobot[]> {
    const response = await fetch(`${this.url}/api/v1/robots`);
    return (await response.json()) as LiveRobot[];
  }
}

export async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return address.port;
}
