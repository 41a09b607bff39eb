import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";

/** How a robot leans, in degrees: clockwise as seen from behind, and upwards. */
export interface Lean {
  readonly roll: number;
  readonly pitch: number;
}

/** What an IMU's driver does: it says forty times a second how its robot leans. */
export class Imu {
  readonly #socket: Socket;
  readonly #timer: NodeJS.Timeout;

  /** `leaning` is asked with Unix milliseconds: those of now, or so many later, of an IMU that sees what is to come. */
  constructor(port: number, leaning: (now: number) => Lean, ahead = 0) {
    this.#socket = createSocket("udp4");
    // A robot that does not listen yet, or any more, is no concern of its IMU.
    this.#socket.on("error", () => undefined);
    this.#timer = setInterval(() => {
      const at = Date.now() + ahead;
      this.#socket.send(JSON.stringify({ ...leaning(at), time: at / 1000 }), port, "127.0.0.1");
    }, 25);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#socket.close();
  }
}

/** A port that no other program listens to. */
export async function freeUdpPort(): Promise<number> {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  return port;
}
