/**
 * A picture by LiveKit: its own client, which is loaded, and this file with it, only when a picture comes so.
 *
 * The room is one camera's. Nobody is in it for this page but the robot; the other viewers are hidden.
 */
import { Room, RoomEvent, Track, VideoQuality, type RemoteTrackPublication } from "livekit-client";
import type { ReceivedFrame } from "./delay";
import type { Gathered } from "./diagnosis";
import type { Hold, ReceivedSound } from "./lipsync";
import type { MediaLink, MediaLinkEvents } from "./media-link";

type Events = Pick<MediaLinkEvents, "state" | "stream" | "attitude">;

/** As what the robot says how it leans, among what else may be said in a room. */
const TOPIC = "attitude";

export class LiveKitLink implements MediaLink {
  readonly gathered: Gathered = { kinds: new Set(), errors: new Set() };
  readonly #events: Events;
  readonly #life = new AbortController();
  readonly #stream = new MediaStream();
  readonly #receivers = new Map<string, RTCRtpReceiver>();
  #room: Room | undefined;
  #picture: RemoteTrackPublication | undefined;
  #want: { rung?: number; best?: number } = {};
  #rungs = 0;

  constructor(url: string, token: string, events: Events) {
    this.#events = events;
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
    const report = await this.#receivers.get("video")?.getStats();
    // Nothing has come yet.
    return report ?? new Map<string, never>();
  }

  /** Its own client does all of that. */
  async accept(): Promise<void> {}
  async answered(): Promise<void> {}
  addCandidate(): void {}
  useIceServers(): void {}

  prefer(want: { rung?: number; best?: number }, rungs: number): void {
    this.#want = want;
    this.#rungs = rungs;
    this.#apply();
  }

  close(): void {
    this.#life.abort();
    void this.#room?.disconnect();
  }

  async #join(url: string, token: string): Promise<void> {
    const { signal } = this.#life;
    if (signal.aborted) return;
    // What browsers offer by themselves leaves out when a picture was taken; what LiveKit offers to one that only listens has it.
    const room = new Room({ adaptiveStream: false, dynacast: false, singlePeerConnection: false });
    this.#room = room;
    room.on(RoomEvent.TrackSubscribed, (track, publication) => {
      if (signal.aborted) return;
      if (track.receiver) this.#receivers.set(track.kind, track.receiver);
      this.#stream.addTrack(track.mediaStreamTrack);
      if (track.kind !== Track.Kind.Video) {
        if (this.#picture) this.#events.stream(this.#stream);
        return;
      }
      if (track.receiver && "jitterBufferTarget" in track.receiver) track.receiver.jitterBufferTarget = 0;
      this.#picture = publication;
      this.#apply();
      this.#events.stream(this.#stream);
      this.#events.state("connected");
    });
    // The picture does not come back under the same name: whoever publishes it anew is somebody else.
    room.on(RoomEvent.TrackUnsubscribed, (track) => {
      if (!signal.aborted && track.kind === Track.Kind.Video) this.#events.state("closed");
    });
    room.on(RoomEvent.DataReceived, (message, _from, _kind, topic) => {
      // Of a longer buffer it may be a part.
      if (!signal.aborted && topic === TOPIC) this.#events.attitude(message.slice().buffer);
    });
    room.on(RoomEvent.Disconnected, () => {
      if (!signal.aborted) this.#events.state("closed");
    });
    await room.connect(url, token);
    if (signal.aborted) await room.disconnect();
  }

  /** Three qualities are named there, whatever there are of them here. */
  #apply(): void {
    if (!this.#picture || this.#rungs < 2) return;
    const place = this.#want.rung ?? this.#want.best ?? 0;
    const below = place >= this.#rungs - 1 ? VideoQuality.LOW : VideoQuality.MEDIUM;
    this.#picture.setVideoQuality(place === 0 ? VideoQuality.HIGH : below);
  }
}
