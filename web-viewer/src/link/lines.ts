/** The two ways in which packets get to the server and back. Each tells of its end once, unless it was ended from here. */
import { CLOSE, GOODBYE, SEPARATOR, parse } from "./packets";

export interface Line {
  send(packet: string): void;
  /** Tells of nothing any more. Who says goodbye is not waited for; who does not may come back by another line. */
  close(goodbye: boolean): void;
}

export interface LineEvents {
  packet(text: string): void;
  lost(): void;
}

/** A way to open one. */
export type Opening = (events: LineEvents) => Line;

const address = (transport: string): URL => new URL(`/socket.io/?EIO=4&transport=${transport}`, location.href);

export const webSocket: Opening = (events) => {
  const url = address("websocket");
  url.protocol = url.protocol === "http:" ? "ws:" : "wss:";
  const life = new AbortController();
  const { signal } = life;
  const socket = new WebSocket(url);
  socket.addEventListener(
    "message",
    ({ data }: MessageEvent<unknown>) => typeof data === "string" && events.packet(data),
    { signal },
  );
  // An error is always followed by this.
  socket.addEventListener("close", () => events.lost(), { signal });
  const send = (packet: string): void => {
    if (socket.readyState === WebSocket.OPEN) socket.send(packet);
  };
  return {
    send,
    close(goodbye) {
      life.abort();
      if (goodbye) send(GOODBYE);
      socket.close();
    },
  };
};

/** Where something on the way lets no WebSocket through: a request that waits for packets, and one for each that go. */
export const polling: Opening = (events) => {
  const url = address("polling");
  const life = new AbortController();
  const { signal } = life;
  const waiting: string[] = [];
  let turn = Promise.resolve();

  const ask = async (options?: RequestInit): Promise<string> => {
    const answer = await fetch(url, { ...options, cache: "no-store" });
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    return answer.text();
  };
  const lose = (): void => {
    if (signal.aborted) return;
    life.abort();
    events.lost();
  };
  const listen = (): void => {
    const heard = (answer: string): void => {
      for (const text of answer.split(SEPARATOR)) {
        const packet = parse(text);
        if (packet?.kind === "opened") url.searchParams.set("sid", packet.sid);
        if (!signal.aborted) events.packet(text);
      }
      if (!signal.aborted) listen();
    };
    void ask({ signal }).then(heard, lose);
  };
  const flush = async (): Promise<void> => {
    await ask({ method: "POST", body: waiting.splice(0).join(SEPARATOR), signal });
  };
  listen();
  return {
    send(packet) {
      // What is said while something is on its way goes with the next request, so that it stays in order.
      if (waiting.push(packet) === 1) turn = turn.then(flush).catch(lose);
    },
    close(goodbye) {
      life.abort();
      if (!goodbye || !url.searchParams.has("sid")) return;
      // It goes even if the page does.
      ask({ method: "POST", body: GOODBYE + SEPARATOR + CLOSE, keepalive: true }).catch(() => undefined);
    },
  };
};
