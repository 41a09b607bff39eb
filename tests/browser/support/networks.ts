import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

type Machine = "robot" | "server" | "viewer";

/** Where both others reach the server. */
export const SERVER = "10.77.0.1";

/**
 * Three machines in one: a robot's and a viewer's network, and a server that is in both and forwards nothing between them.
 * They are network namespaces, which only root can make.
 */
export class Networks {
  /** Why there can be none here. */
  static readonly missing =
    process.getuid?.() === 0 ? undefined : "NOT TESTED: only root can make the networks that this test needs";

  readonly files = mkdtempSync(join(tmpdir(), "panocast-networks-"));

  readonly #made: Machine[] = [];

  private constructor() {}

  static create(): Networks {
    const networks = new Networks();
    try {
      networks.#build();
    } catch (error) {
      networks.remove();
      throw error;
    }
    return networks;
  }

  /** The command that runs others on that machine. */
  within(machine: Machine): string[] {
    return ["nsenter", `--net=/run/netns/${this.#name(machine)}`];
  }

  /** A program that runs another one there, for those who can be told of one only. */
  wrapper(machine: Machine, program: string): string {
    const file = join(this.files, `${machine}-${program.replaceAll("/", "-")}`);
    writeFileSync(file, `#!/bin/sh\nexec ${this.within(machine).join(" ")} ${program} "$@"\n`, { mode: 0o755 });
    return file;
  }

  /** From now on nothing that is sent over UDP leaves that machine. */
  blockUdp(machine: Machine): void {
    this.#ip(machine, "rule", "add", "pref", "10", "ipproto", "udp", "prohibit");
  }

  remove(): void {
    for (const machine of this.#made) ip("netns", "delete", this.#name(machine));
    rmSync(this.files, { recursive: true });
  }

  #build(): void {
    for (const machine of ["server", "robot", "viewer"] as const) {
      ip("netns", "add", this.#name(machine));
      this.#made.push(machine);
      this.#ip(machine, "link", "set", "lo", "up");
    }
    this.#ip("server", "address", "add", `${SERVER}/32`, "dev", "lo");
    this.#connect("robot", "10.77.1");
    this.#connect("viewer", "10.77.2");
    execFileSync("nsenter", [...this.within("server").slice(1), "sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward"]);
  }

  #connect(machine: "robot" | "viewer", network: string): void {
    const peer = ["peer", "name", "uplink", "netns", this.#name(machine)];
    this.#ip("server", "link", "add", machine, "type", "veth", ...peer);
    this.#ip("server", "address", "add", `${network}.1/24`, "dev", machine);
    this.#ip(machine, "address", "add", `${network}.2/24`, "dev", "uplink");
    this.#ip("server", "link", "set", machine, "up");
    this.#ip(machine, "link", "set", "uplink", "up");
    this.#ip(machine, "route", "add", "default", "via", `${network}.1`);
  }

  #ip(machine: Machine, ...args: string[]): void {
    ip("-n", this.#name(machine), ...args);
  }

  #name(machine: Machine): string {
    return `panocast-${process.pid}-${machine}`;
  }
}

function ip(...args: string[]): void {
  execFileSync("ip", args, { stdio: ["ignore", "inherit", "inherit"] });
}
