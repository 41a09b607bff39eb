import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { expect, request } from "@playwright/test";

import type { LiveRobot } from "../../../web-viewer/src/protocol.gen.ts";

const folder = fileURLToPath(new URL("..", import.meta.url));
const binaries = process.env["BINARIES"] ?? fileURLToPath(new URL("../../../target/debug", import.meta.url));

/** One of the workspace's programs, as a process of its own. */
export class Program {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;

  /** `within` is a command that runs another one. */
  constructor(name: string, args: string[], environment: Record<string, string> = {}, within: string[] = []) {
    const env = { ...process.env, ...environment };
    const [command = "", ...rest] = [...within, `${binaries}/${name}`, ...args];
    this.#process = spawn(command, rest, { stdio: ["ignore", "ignore", "inherit"], env });
    this.#ended = once(this.#process, "exit");
  }

  /** SIGKILL: nobody is told anything. */
  async kill(): Promise<void> {
    await this.end("SIGKILL");
  }

  /** It stands still, as on a machine that hangs, and lives on when it is told to. */
  hang(): void {
    this.#process.kill("SIGSTOP");
  }

  goOn(): void {
    this.#process.kill("SIGCONT");
  }

  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      this.#process.kill(signal);
      // One that hangs hears it only when it goes on.
      this.goOn();
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
  /** The line that robots' configs need. */
  #fingerprint: string | undefined;
  readonly #broadcasters: Program[] = [];

  private constructor(port: number, config: string) {
    this.#port = port;
    this.url = `${config.includes("self_signed") ? "https" : "http"}://127.0.0.1:${port}`;
    // A server refuses a config that is empty: a full disk may have left nothing of it.
    this.#config = this.#write("server", `# All else is as usual.\n${config.replaceAll("$FILES", this.#files)}`);
  }

  /** `config` is the server's, in its own words; `$FILES` in it is a folder that goes with the programs. */
  static async start(config = ""): Promise<Programs> {
    const programs = new Programs(await freePort(), config);
    await programs.startServer();
    return programs;
  }

  /** The same with a certificate of the server's own, which robots know by its fingerprint. */
  static async startEncrypted(): Promise<Programs> {
    const programs = await Programs.start('state_dir = "$FILES"\n[tls]\nmode = "self_signed"\n');
    const check = programs.command("check");
    programs.#fingerprint = /fingerprint = "sha256:.*"/.exec(check)?.[0];
    expect(programs.#fingerprint, check).toBeDefined();
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
    const file = this.#robotConfig(config);
    const args = ["--config", file, "--server", this.url, "--log", process.env["ROBOT_LOG"] ?? "error"];
    const robot = new Program("broadcaster", args, environment);
    this.#broadcasters.push(robot);
    return robot;
  }

  /** What the operator does at a prompt, and what is printed. */
  command(...args: string[]): string {
    return execFileSync(`${binaries}/server`, [...args, "--config", this.#config], { encoding: "utf8" });
  }

  #robotConfig(config: string | undefined): string {
    const common = `${folder}/broadcaster.toml`;
    if (config === undefined && this.#fingerprint === undefined) return common;
    return this.#write("broadcaster", `${this.#fingerprint ?? ""}\n${config ?? readFileSync(common, "utf8")}`);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#broadcasters.map((robot) => robot.end()));
    await this.#server?.end();
    rmSync(this.#files, { recursive: true });
  }

  #write(name: string, config: string): string {
    const file = join(this.#files, `${name}.toml`);
    // Configs with secrets in them are refused where others could read them.
    writeFileSync(file, config, { mode: 0o600 });
    return file;
  }

  async #answers(path: string): Promise<boolean> {
    return this.#get(path).then(
      () => true,
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
    return (await this.#get("/api/v1/robots")) as LiveRobot[];
  }

  /** What is answered, if it is well. */
  async #get(path: string): Promise<unknown> {
    const context = await request.newContext({ ignoreHTTPSErrors: true });
    try {
      const response = await context.get(this.url + path, { failOnStatusCode: true });
      return path.startsWith("/api/") ? await response.json() : await response.text();
    } finally {
      await context.dispose();
    }
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
