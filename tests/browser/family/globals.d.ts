import type { Socket } from "socket.io-client";

declare global {
  /** What the family's pages leave on their window for the tests to look at. */
  interface Window {
    seen: {
      watcher: string[];
      answer: string[];
      disconnectPeer: string[];
      bye: string[];
      offer: number;
      broadcaster: number;
      candidate: string[];
    };
    colour: string;
    announce(): void;
    socket: Socket;
  }
}
