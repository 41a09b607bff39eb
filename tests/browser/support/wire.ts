import { once } from "node:events";
import { type AddressInfo, type Socket, connect, createServer } from "node:net";

/** The way of one viewer's page to the server, which can be cut. Pictures go another. */
export class Wire {
  readonly #server = createServer((page) => this.#accept(page));
  readonly #port: number;
  readonly #ends = new Set<Socket>();
  #broken = false;

  private constructor(url: string) {
    this.#port = Number(new URL(url).port);
  }

  static async to(url: string): Promise<Wire> {
    const wire = new Wire(url);
    wire.#server.listen(0, "127.0.0.1");
    await once(wire.#server, "listening");
    return wire;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Whether anything goes through. */
  get carries(): boolean {
    return this.#ends.size > 0;
  }

  /** What goes through ends, and nothing comes through until it is mended. */
  cut(): void {
    this.#broken = true;
    for (const end of this.#ends) end.resetAndDestroy();
  }

  mend(): void {
    this.#broken = false;
  }

  async remove(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  #accept(page: Socket): void {
    if (this.#broken) return void page.resetAndDestroy();
    const server = connect(this.#port, "127.0.0.1");
    for (const [end, other] of [
      [page, server],
      [server, page],
    ] as const) {
      this.#ends.add(end);
      end.pipe(other);
      // The other end learns of it, whatever it was.
      end.on("error", () => other.destroy());
      end.on("close", () => {
        this.#ends.delete(end);
        other.destroy();
      });
    }
  }
}
