/**
 * One receiving peer connection for one session. Never touches the page.
 *
 * It answers one offer after the other; candidates wait here for the one they belong to. After `close()` nothing is
 * called any more.
 */
import { apart } from "./apart";
import { Candidates } from "./candidates";
import type { ReceivedFrame } from "./delay";
import type { Gathered } from "./diagnosis";
import { allowExtensions, canAllowExtensions } from "./extensions";
import type { Hold, ReceivedSound } from "./lipsync";
import { near } from "./nearness";
import type { MediaLink, MediaLinkEvents } from "./media-link";
import { ATTITUDE_STREAM, type Candidate, type Description, type IceServer } from "./protocol.gen";

export class Connection implements MediaLink {
  readonly peer: RTCPeerConnection;
  readonly #events: MediaLinkEvents;
  readonly #life = new AbortController();
  readonly #stream = new MediaStream();
  readonly #candidates = new Candidates();
  readonly #gathered = { kinds: new Set<string>(), errors: new Set<number>() };
  #answered = false;
  #refused = false;
  #listens = false;
  #turn: Promise<void> = Promise.resolve();

  constructor(iceServers: IceServer[], events: MediaLinkEvents) {
    this.#events = events;
    this.peer = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
    const { signal } = this.#life;
    this.peer.addEventListener("track", (event) => this.#tracked(event), { signal });
    this.peer.addEventListener("connectionstatechange", () => events.state(this.peer.connectionState), { signal });
    this.peer.addEventListener("icecandidate", ({ candidate }) => candidate && this.#gather(candidate), { signal });
    const failed = ({ errorCode }: RTCPeerConnectionIceErrorEvent): unknown => this.#gathered.errors.add(errorCode);
    this.peer.addEventListener("icecandidateerror", failed, { signal });
  }

  /**
   * Takes the robot's offer, the first or one more, and answers it, once those before it are answered. An offer that the
   * browser does not take counts as a failed connection.
   */
  accept(offer: Description): Promise<void> {
    this.#turn = this.#turn.then(() => this.#negotiate(offer));
    return this.#turn;
  }

  async answered(answer: Description): Promise<void> {
    this.#answered = true;
    await this.peer.setRemoteDescription(answer);
  }

  /** The robot is told with the question to watch. */
  prefer(): void {}

  addCandidate(candidate: Candidate): void {
    if (this.#candidates.take(candidate)) this.#add(candidate);
  }

  /** For the next path that is looked for: passwords of relays expire. */
  useIceServers(iceServers: IceServer[]): void {
    try {
      this.peer.setConfiguration({ ...this.peer.getConfiguration(), iceServers });
    } catch (error) {
      console.debug("the servers stay as they are", error);
    }
  }

  /** What is known of this side's ways out, for explaining that there is none. */
  get gathered(): Gathered {
    return this.#gathered;
  }

  /** The last video frame that was handed on to the picture. */
  get received(): ReceivedFrame | undefined {
    return this.#receiver("video")?.getSynchronizationSources()[0];
  }

  /** The last sound that was handed on to be played. */
  get receivedSound(): ReceivedSound | undefined {
    return this.#receiver("audio")?.getSynchronizationSources()[0];
  }

  /** Delays what is early: a live view wants the newest frame, not an even rhythm, unless there is sound to fit. */
  hold({ picture, sound }: Hold): void {
    const [video, audio] = [this.#receiver("video"), this.#receiver("audio")];
    if (video && "jitterBufferTarget" in video) video.jitterBufferTarget = picture;
    // Without any buffer sound would crackle.
    if (audio && "jitterBufferTarget" in audio) audio.jitterBufferTarget = sound > 0 ? sound : null;
  }

  stats(): Promise<RTCStatsReport> {
    return this.peer.getStats();
  }

  close(): void {
    this.#life.abort();
    this.peer.close();
  }

  async #negotiate(offer: Description): Promise<void> {
    const { signal } = this.#life;
    if (signal.aborted || this.#refused) return;
    try {
      const { type, sdp } = offer;
      if (/^m=application /m.test(sdp)) this.#listen();
      await this.peer.setRemoteDescription({ type, sdp: canAllowExtensions() ? apart(sdp) : sdp });
      for (const candidate of this.#candidates.offered(offer.sdp)) this.#add(candidate);
      allowExtensions(this.peer.getTransceivers());
      await this.#settle(await this.peer.createAnswer(), sdp);
    } catch (error) {
      this.#refused = true;
      if (signal.aborted) return;
      console.warn("the robot's offer was not taken", error);
      this.#events.state("failed");
      return;
    }
    const answer = this.peer.localDescription?.sdp;
    if (answer === undefined || signal.aborted) return;
    this.#events.answer({ type: "answer", sdp: answer });
    if (this.#answered) return;
    this.#answered = true;
    if (this.#stream.getTracks().length > 0) this.#events.stream(this.#stream);
  }

  async #settle(answer: RTCSessionDescriptionInit, offer: string): Promise<void> {
    const sdp = near(answer.sdp ?? "", offer);
    if (sdp !== answer.sdp) {
      try {
        await this.peer.setLocalDescription({ type: "answer", sdp });
        return;
      } catch (error) {
        console.debug("the browser takes no answer but its own", error);
      }
    }
    await this.peer.setLocalDescription(answer);
  }

  /** What comes late is of no use: the next says more. */
  #listen(): void {
    if (this.#listens) return;
    this.#listens = true;
    const known = { negotiated: true, id: ATTITUDE_STREAM, ordered: false, maxRetransmits: 0 };
    const channel = this.peer.createDataChannel("attitude", known);
    channel.binaryType = "arraybuffer";
    const heard = ({ data }: MessageEvent<unknown>): void => {
      if (data instanceof ArrayBuffer) this.#events.attitude(data);
    };
    channel.addEventListener("message", heard, { signal: this.#life.signal });
  }

  #gather(candidate: RTCIceCandidate): void {
    if (candidate.type) this.#gathered.kinds.add(candidate.type);
    this.#events.candidate(trim(candidate));
  }

  #receiver(kind: string): RTCRtpReceiver | undefined {
    return this.peer.getReceivers().find(({ track }) => track.kind === kind);
  }

  #add(candidate: Candidate): void {
    // A candidate that names no section is for the first; browsers insist on being told.
    const init = candidate.sdpMid ? candidate : { sdpMLineIndex: 0, ...candidate };
    this.peer.addIceCandidate(init).catch((error: unknown) => {
      // One way that cannot be tried is no reason to give up the others.
      console.debug("candidate not taken", error);
    });
  }

  #tracked({ track, receiver }: RTCTrackEvent): void {
    // From the first frame on.
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
