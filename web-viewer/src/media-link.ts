/** What a picture comes by, whoever is at the other end. */
import type { ReceivedFrame } from "./delay";
import type { Gathered } from "./diagnosis";
import type { Hold, ReceivedSound } from "./lipsync";
import type { Candidate, Description, IceServer } from "./protocol.gen";

export interface MediaLinkEvents {
  answer(description: Description): void;
  /** This side offers, and is answered. */
  offer(description: Description): void;
  candidate(candidate: Candidate): void;
  state(state: RTCPeerConnectionState): void;
  stream(stream: MediaStream): void;
  /** The robot says how it leans. */
  attitude(message: ArrayBuffer): void;
}

export interface MediaLink {
  /** What is known of this side's ways out, for explaining that there is none. */
  readonly gathered: Gathered;
  /** The last video frame that was handed on to the picture. */
  readonly received: ReceivedFrame | undefined;
  /** The last sound that was handed on to be played. */
  readonly receivedSound: ReceivedSound | undefined;
  /** Delays what is early. */
  hold(hold: Hold): void;
  stats(): Promise<RTCStatsReport>;
  /** Takes the other end's offer, the first or one more. */
  accept(offer: Description): Promise<void>;
  /** Takes the answer to this side's offer. */
  answered(answer: Description): Promise<void>;
  addCandidate(candidate: Candidate): void;
  useIceServers(iceServers: IceServer[]): void;
  /** The quality that was chosen, and the best that there is room for: places of so many, best first. */
  prefer(rung: number | undefined, best: number | undefined, rungs: number | undefined): void;
  close(): void;
}
