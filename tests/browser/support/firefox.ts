import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { WebSocket } from "ws";

/** What tests need: no first-run pages, nothing fetched, and play without a tap, as in Chromium's. */
const PREFERENCES = `
user_pref("media.autoplay.default", 0);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("app.update.enabled", false);
user_pref("extensions.getAddons.cache.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "http://127.0.0.1:1/");
user_pref("media.peerconnection.ice.loopback", true);
user_pref("webgl.force-enabled", true);
`;

type Answer = { id?: number; type?: string; result?: unknown; error?: string; message?: string };

/** Debian's Firefox, by way of WebDriver BiDi, as far as these tests go. */
export class Firefox {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #context = "";
  #last = 0;

  private constructor(process: ChildProcess, profile: string, socket: WebSocket) {
    this.#process = process;
    this.#profile = profile;
    this.#socket = socket;
    socket.on("message", (data) => {
      const answer = JSON.parse((data as Buffer).toString()) as Answer;
      if (answer.id !== undefined) this.#waiting.get(answer.id)?.(answer);
    });
  }

  static async start(): Promise<Firefox> {
    const profile = mkdtempSync(join(tmpdir(), "panocast-firefox-"));
    writeFileSync(join(profile, "user.js"), PREFERENCES);
    const args = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"];
    const browser = spawn(process.env["FIREFOX"] ?? "firefox-esr", [...args, "--width", "640", "--height", "480"], {
      stdio: ["ignore", "ignore", "pipe"],
      // Without a screen it draws what WebGL asks for in software, but only by this way.
      env: { ...process.env, HOME: profile, MOZ_CRASHREPORTER_DISABLE: "1", MOZ_WEBGL_FORCE_EGL: "1" },
    });
    const said = createInterface({ input: browser.stderr });
    const address = await new Promise<string>((resolve, reject) => {
      browser.on("exit", () => reject(new Error("Firefox has ended")));
      said.on("line", (line) => {
        const [, found] = /WebDriver BiDi listening on (ws:\S+)/.exec(line) ?? [];
        if (found !== undefined) resolve(found);
      });
    });
    const socket = new WebSocket(`${address}/session`);
    await once(socket, "open");
    const firefox = new Firefox(browser, profile, socket);
    await firefox.#ask("session.new", { capabilities: {} });
    const { contexts } = (await firefox.#ask("browsingContext.getTree", {})) as { contexts: { context: string }[] };
    firefox.#context = contexts[0]?.context ?? "";
    return firefox;
  }

  async goto(url: string): Promise<void> {
    await this.#ask("browsingContext.navigate", { context: this.#context, url, wait: "complete" });
  }

  /** What an expression is in the page. */
  async evaluate(expression: string): Promise<unknown> {
    const asked = { expression, target: { context: this.#context }, awaitPromise: true };
    const answer = (await this.#ask("script.evaluate", asked)) as { result?: { value?: unknown } };
    return answer.result?.value;
  }

  async screenshot(): Promise<Buffer> {
    const { data } = (await this.#ask("browsingContext.captureScreenshot", { context: this.#context })) as {
      data: string;
    };
    return Buffer.from(data, "base64");
  }

  async stop(): Promise<void> {
    this.#socket.close();
    this.#process.kill();
    if (this.#process.exitCode === null && this.#process.signalCode === null) await once(this.#process, "exit");
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  async #ask(method: string, params: object): Promise<unknown> {
    const id = ++this.#last;
    const answered = new Promise<Answer>((resolve) => this.#waiting.set(id, resolve));
    this.#socket.send(JSON.stringify({ id, method, params }));
    const answer = await answered;
    this.#waiting.delete(id);
    if (answer.type === "error") throw new Error(`${method}: ${answer.error}: ${answer.message}`);
    return answer.result;
  }
}
