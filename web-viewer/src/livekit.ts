/**
 * A picture by LiveKit: its own client, which is loaded, and this file with it, only when a picture comes so.
 *
 * The room is one camera's. Nobody is in it for this page but the robot; the other viewers are hidden. The robot sends each
 * quality as a picture of its own, and this page takes one of them: the one that was chosen, or that its path carries.
 */
import { Room, RoomEvent, Track, type RemoteTrack, type RemoteTrackPublication } from "livekit-client";
import { ahead } from "./ahead";
import { Continued } from "./continued";
import type { ReceivedFrame } from "./delay";
import type { Gathered } from "./diagnosis";
import type { untilReady } from "./engine";
import { Ladder } from "./ladder";
import type { Hold, ReceivedSound } from "./lipsync";
import type { MediaLink, MediaLinkEvents } from "./media-link";
import { placeOf } from "./rungs";

type Events = Pick<MediaLinkEvents, "state" | "stream" | "attitude">;

/** As what the robot says how it leans, among what else may be said in a room. */
const TOPIC = "attitude";

/** A little less than the second after which this page counts. */
const JUDGED_EVERY = 900;

/** What was chosen and does not come within this time beside what is shown comes instead of it. */
const COMES = 3000;

export class LiveKitLink implements MediaLink {
  readonly gathered: Gathered = { kinds: new Set(), errors: new Set() };
  readonly #events: Events;
  readonly #untilReady: typeof untilReady;
  readonly #life = new AbortController();
  readonly #stream = new MediaStream();
  readonly #receivers = new Map<string, RTCRtpReceiver>();
  /**
   * Without what would leave qualities out by how large this page is; and what browsers offer by themselves leaves out when a
   * picture was taken, which LiveKit's offer to one that only listens has.
   */
  readonly #room = new Room({ adaptiveStream: false, dynacast: false, singlePeerConnection: false });
  readonly #ladder = new Ladder(performance.now());
  readonly #continued = new Continued();
  /** What is shown … */
  #picture: RemoteTrackPublication | undefined;
  /** … and what is to be, as soon as it has a picture. */
  #coming: RemoteTrackPublication | undefined;
  #want: { rung?: number | undefined; best?: number | undefined } = {};
  #rungs = 0;
  #judged = 0;
  /** Since when something else is to be shown. */
  #since = 0;

  /** `ready` waits for pictures, as whoever loads this can. */
  constructor(url: string, token: string, events: Events, ready: typeof untilReady) {
    this.#events = events;
    this.#untilReady = ready;
    this.#join(url, token).catch((error: unknown) => {
      if (this.#life.signal.aborted) return;
      console.warn("the media server does not let this page in", error);
      events.state("failed");
    });
  }

  get received(): ReceivedFrame | undefined {
    return this.#receivers.get("video")?.getSynchronizationSources()[0];
  }

  get receivedSound(): ReceivedSound | undefined {
    return this.#receivers.get("audio")?.getSynchronizationSources()[0];
  }

  hold({ picture, sound }: Hold): void {
    const [video, audio] = [this.#receivers.get("video"), this.#receivers.get("audio")];
    if (video && "jitterBufferTarget" in video) video.jitterBufferTarget = picture;
    if (audio && "jitterBufferTarget" in audio) audio.jitterBufferTarget = sound > 0 ? sound : null;
  }

  async stats(): Promise<RTCStatsReport> {
    const receiver = this.#receivers.get("video");
    const told = new Map<string, Record<string, unknown>>(await receiver?.getStats());
    // Meanwhile another one may have taken over, or nothing has come yet.
    if (receiver !== this.#receivers.get("video")) return new Map<string, never>();
    for (const [id, entry] of told) {
      if (entry["type"] !== "inbound-rtp" || entry["kind"] !== "video") continue;
      this.#judge(entry);
      told.set(id, this.#continued.counted(entry));
    }
    return told;
  }

  /** Its own client does all of that. */
  async accept(): Promise<void> {}
  async answered(): Promise<void> {}
  addCandidate(): void {}
  useIceServers(): void {}

  prefer(rung: number | undefined, best: number | undefined, rungs = 0): void {
    this.#want = { rung, best };
    this.#rungs = rungs;
    this.#choose();
  }

  close(): void {
    this.#life.abort();
    void this.#room.disconnect();
  }

  async #join(url: string, token: string): Promise<void> {
    const { signal } = this.#life;
    const room = this.#room;
    room.on(RoomEvent.TrackPublished, () => this.#choose());
    room.on(RoomEvent.TrackSubscribed, (track, publication) => this.#come(track, publication));
    // The picture does not come back under the same name: whoever publishes it anew is somebody else.
    room.on(RoomEvent.TrackUnsubscribed, (_, publication) => {
      if (!signal.aborted && publication === this.#picture) this.#events.state("closed");
      if (publication !== this.#coming) return;
      this.#coming = undefined;
      this.#choose();
    });
    room.on(RoomEvent.DataReceived, (message, _from, _kind, topic) => {
      // Of a longer buffer it may be a part.
      if (!signal.aborted && topic === TOPIC) this.#events.attitude(message.slice().buffer);
    });
    room.on(RoomEvent.Disconnected, () => {
      if (!signal.aborted) this.#events.state("closed");
    });
    await room.connect(url, token, { autoSubscribe: false });
    this.#choose();
    if (signal.aborted) await room.disconnect();
  }

  #published(kind: Track.Kind): RemoteTrackPublication[] {
    const robots = [...this.#room.remoteParticipants.values()];
    const all = robots.flatMap(({ trackPublications }) => Array.from(trackPublications.values()));
    return all.filter((publication) => publication.kind === kind);
  }

  /** Best first: as the robot has laid them out. */
  get #pictures(): RemoteTrackPublication[] {
    return this.#published(Track.Kind.Video).toSorted((one, other) => section(one) - section(other));
  }

  /** Which of so many. */
  #place(count: number): number {
    const { rung } = this.#want;
    if (rung !== undefined) return placeOf(rung, this.#rungs, count);
    return Math.min(Math.max(this.#best(count), this.#ladder.place), count - 1);
  }

  /** Which of them is the best that there is room for. */
  #best(count: number): number {
    return placeOf(this.#want.best ?? 0, this.#rungs, count);
  }

  /** Sees to it that what is wanted comes. */
  #choose(): void {
    if (this.#life.signal.aborted) return;
    for (const sound of this.#published(Track.Kind.Audio)) if (!sound.track) sound.setSubscribed(true);
    const pictures = this.#pictures;
    const wanted = pictures[this.#place(pictures.length)];
    if (!wanted || wanted === this.#coming) return;
    this.#coming?.setEnabled(false);
    this.#coming = wanted === this.#picture ? undefined : wanted;
    this.#since = performance.now();
    // What was shown before is not taken anew: it goes on.
    if (!wanted.track) wanted.setSubscribed(true);
    wanted.setEnabled(true);
    if (this.#coming && wanted.track) this.#come(wanted.track, wanted);
  }

  #come(track: RemoteTrack, publication: RemoteTrackPublication): void {
    const { receiver, mediaStreamTrack } = track;
    if (this.#life.signal.aborted || !receiver) return;
    if (track.kind !== Track.Kind.Video) {
      this.#receivers.set(track.kind, receiver);
      this.#stream.addTrack(mediaStreamTrack);
      if (this.#picture) this.#events.stream(this.#stream);
      return;
    }
    if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
    const isWanted = (): boolean => publication === this.#coming && !this.#life.signal.aborted;
    const show = (): void => {
      if (isWanted()) this.#show(publication, mediaStreamTrack, receiver);
    };
    if (!this.#picture) return show();
    ahead(receiver, mediaStreamTrack)
      .then((picture) => this.#untilReady(picture, isWanted))
      .then(show, (error: unknown) => console.debug("no statistics", error));
  }

  /** It is what is shown from now on. */
  #show(publication: RemoteTrackPublication, track: MediaStreamTrack, receiver: RTCRtpReceiver): void {
    const former = this.#picture;
    this.#picture = publication;
    this.#coming = undefined;
    this.#receivers.set("video", receiver);
    this.#continued.next();
    this.#ladder.turned(performance.now());
    const before = this.#stream.getVideoTracks();
    this.#stream.addTrack(track);
    for (const shown of before) this.#stream.removeTrack(shown);
    this.#events.stream(this.#stream);
    former?.setEnabled(false);
    if (!former) this.#events.state("connected");
  }

  #judge(entry: Record<string, unknown>): void {
    const now = performance.now();
    const picture = this.#picture;
    if (!picture || now < this.#judged + JUDGED_EVERY) return;
    this.#judged = now;
    if (this.#want.rung !== undefined) {
      if (this.#coming && now > this.#since + COMES) picture.setEnabled(false);
      return;
    }
    const counted = (name: string): number => Number(entry[name] ?? 0);
    const [received, lost] = [counted("packetsReceived"), counted("packetsLost")];
    // What nobody sees need not move.
    const [freezes, moved] = document.hidden ? [0, received] : [counted("freezeCount"), counted("framesDecoded")];
    const pictures = this.#pictures;
    const [shown, count] = [pictures.indexOf(picture), pictures.length];
    const places = { shown, best: this.#best(count), count };
    if (!this.#ladder.sampled({ received, lost, freezes, moved }, places, now)) return;
    // Where there is no room for it, there is none for another one beside it.
    if (this.#ladder.place > shown) picture.setEnabled(false);
    this.#choose();
  }
}

function section({ trackInfo }: RemoteTrackPublication): number {
  return Number(trackInfo?.mid || Number.MAX_SAFE_INTEGER);
}
