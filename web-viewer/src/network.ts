/** Tells when this device has another network, or one again. */

/** Where the browser has it at all; `type` only where it knows, which is mostly on phones. */
interface NetworkInformation extends EventTarget {
  readonly type?: string;
}

export function onNetworkChange(changed: () => void, signal: AbortSignal): void {
  addEventListener("online", changed, { signal });
  const { connection } = navigator as Navigator & { connection?: NetworkInformation };
  let type = connection?.type;
  connection?.addEventListener(
    "change",
    () => {
      // It also fires whenever the estimated speed changes, which is no other network.
      if (connection.type === type) return;
      type = connection.type;
      // The way into no network needs no answer; the way out of it does.
      if (navigator.onLine) changed();
    },
    { signal },
  );
}
