/**
 * One receiving peer connection for one session. Never touches the page.
 *
 * Candidates that come before the offer is in place wait here. After `close()` nothing is called any more.
 */
import type { Candidate, Description, IceServer } from "./protocol.gen";

export interface ConnectionEvents {
  answer(description: Description): void;
  candidate(candidate: Candidate): void;
  state(state: RTCPeerConnectionState): void;
  stream(stream: MediaStream): void;
}

export class Connection {
  readonly #peer: RTCPeerConnection;
  readonly #events: ConnectionEvents;
  readonly #life = new AbortController();
  readonly #stream = new MediaStream();
  #early: Candidate[] | undefined = [];
  #answered = false;

  constructor(iceServers: IceServer[], events: ConnectionEvents) {
    this.#events = events;
    this.#peer = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
    const { signal } = this.#life;
    this.#peer.addEventListener("track", (event) => this.#tracked(event), { signal });
    this.#peer.addEventListener("connectionstatechange", () => events.state(this.#peer.connectionState), { signal });
    this.#peer.addEventListener("icecandidate", ({ candidate }) => candidate && events.candidate(trim(candidate)), {
      signal,
    });
  }

  /** Takes the robot's offer and answers it. An offer that the browser does not take counts as a failed connection. */
  async accept(offer: Description): Promise<void> {
    try {
      await this.#peer.setRemoteDescription(offer);
      const early = this.#early ?? [];
      this.#early = undefined;
      for (const candidate of early) this.#add(candidate);
      await this.#peer.setLocalDescription(await this.#peer.createAnswer());
    } catch (error) {
      if (this.#life.signal.aborted) return;
      console.warn("the robot's offer was not taken", error);
      this.#events.state("failed");
      return;
    }
    const sdp = this.#peer.localDescription?.sdp;
    if (sdp === undefined || this.#life.signal.aborted) return;
    this.#events.answer({ type: "answer", sdp });
    this.#answered = true;
    if (this.#stream.getTracks().length > 0) this.#events.stream(this.#stream);
  }

  addCandidate(candidate: Candidate): void {
    if (this.#early) this.#early.push(candidate);
    else this.#add(candidate);
  }

  stats(): Promise<RTCStatsReport> {
    return this.#peer.getStats();
  }

  close(): void {
    this.#life.abort();
    this.#peer.close();
  }

  #add(candidate: Candidate): void {
    // A candidate that names no section is for the first; browsers insist on being told.
    const init = candidate.sdpMid ? candidate : { sdpMLineIndex: 0, ...candidate };
    this.#peer.addIceCandidate(init).catch((error: unknown) => {
      // One way that cannot be tried is no reason to give up the others.
      console.debug("candidate not taken", error);
    });
  }

  #tracked({ track, receiver }: RTCTrackEvent): void {
    // A live view wants the newest frame, not an even rhythm. Audio would crackle.
    if (track.kind === "video" && "jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
    this.#stream.addTrack(track);
    // Preparing to draw may take longer than all of the negotiation, so the answer leaves before; the handshakes that it
    // sets off go on meanwhile.
    if (this.#answered) this.#events.stream(this.#stream);
  }
}

function trim({ candidate, sdpMid, sdpMLineIndex, usernameFragment }: RTCIceCandidate): Candidate {
  return {
    candidate,
    ...(sdpMid !== null && { sdpMid }),
    ...(sdpMLineIndex !== null && { sdpMLineIndex }),
    ...(usernameFragment !== null && { usernameFragment }),
  };
}
