/** The RTP header extensions that the robot offers and a browser takes only when told to. */

/** Not in every browser, and so in no library of types. */
interface ExtensionControl {
  getHeaderExtensionsToNegotiate(): { uri: string; direction: RTCRtpTransceiverDirection }[];
  setHeaderExtensionsToNegotiate(extensions: { uri: string; direction: RTCRtpTransceiverDirection }[]): void;
}

/**
 * Allows all that the browser knows, between the robot's offer and the answer, which names only what was offered. By
 * default Chromium leaves out the capture time, which the delay is computed from, among others.
 */
export function allowExtensions(transceivers: readonly object[]): void {
  for (const transceiver of transceivers.filter((one) => hasControl(one))) {
    try {
      const known = transceiver.getHeaderExtensionsToNegotiate();
      if (!known.some(({ direction }) => direction === "stopped")) continue;
      transceiver.setHeaderExtensionsToNegotiate(
        known.map(({ uri, direction }) => ({ uri, direction: direction === "stopped" ? "sendrecv" : direction })),
      );
    } catch (error) {
      // Without them there is a picture all the same.
      console.debug("header extensions stay as they are", error);
    }
  }
}

/** Whether this browser can be told to take them. */
export function canAllowExtensions(): boolean {
  return "RTCRtpTransceiver" in globalThis && hasControl(RTCRtpTransceiver.prototype);
}

function hasControl(transceiver: object): transceiver is ExtensionControl {
  return "getHeaderExtensionsToNegotiate" in transceiver && "setHeaderExtensionsToNegotiate" in transceiver;
}
