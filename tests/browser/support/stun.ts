import { type Socket, createSocket } from "node:dgram";
import { once } from "node:events";

const HEADER = 20;
const MAGIC_COOKIE = 0x2112a442;

/** A STUN server that sees everybody at one address, as if there were a NAT (RFC 8489). */
export class MisleadingStun {
  readonly port: number;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.port = socket.address().port;
  }

  static async start(address: string, port: number): Promise<MisleadingStun> {
    const socket = createSocket("udp4");
    socket.on("message", (request, from) => {
      // A binding request, and its answer with XOR-MAPPED-ADDRESS.
      if (request.length < HEADER || request.readUInt16BE(0) !== 0x0001) return;
      const answer = Buffer.alloc(HEADER + 12);
      answer.writeUInt16BE(0x0101, 0);
      answer.writeUInt16BE(12, 2);
      request.copy(answer, 4, 4, HEADER);
      answer.writeUInt16BE(0x0020, HEADER);
      answer.writeUInt16BE(8, HEADER + 2);
      answer.writeUInt16BE(0x0001, HEADER + 4);
      answer.writeUInt16BE(port ^ (MAGIC_COOKIE >>> 16), HEADER + 6);
      const ip = address.split(".").reduce((value, part) => value * 256 + Number(part), 0);
      answer.writeUInt32BE((ip ^ MAGIC_COOKIE) >>> 0, HEADER + 8);
      socket.send(answer, from.port, from.address);
    });
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    return new MisleadingStun(socket);
  }

  async stop(): Promise<void> {
    this.#socket.close();
    await once(this.#socket, "close");
  }
}
