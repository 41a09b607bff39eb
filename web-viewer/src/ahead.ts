/** Looks at a picture that is not shown yet, though it may have been before. */
import type { untilReady } from "./engine";

/** What comes of it from now on. */
export async function ahead(
  receiver: RTCRtpReceiver,
  track: MediaStreamTrack,
): Promise<Parameters<typeof untilReady>[0]> {
  const decoded = async (): Promise<[string, number][]> => {
    const told = [...(await receiver.getStats()).entries()];
    return told.flatMap(([id, entry]) => ("framesDecoded" in entry ? [[id, Number(entry.framesDecoded)]] : []));
  };
  const before = new Map(await decoded());
  const stats = async (): Promise<RTCStatsReport> => {
    const now = await decoded();
    return new Map(now.map(([id, count]) => [id, { framesDecoded: count - (before.get(id) ?? 0) }]));
  };
  return { link: { stats }, stream: new MediaStream([track]) };
}
