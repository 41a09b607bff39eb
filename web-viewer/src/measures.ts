/** Times, sizes and names of files as people write them. Pure. */

/** `0:07`, `12:34`, `1:00:00`. */
export function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Sorts by time, says what it is of, and is a name on every system. */
export function fileName(of: string, at: Date, ending: string): string {
  const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join("-");
  const plain = of.replaceAll(/[^\p{L}\p{N}._-]+/gu, "-").replaceAll(/^[-.]+|[-.]+$/g, "");
  return `${plain || "panocast"}-${day}T${time}.${ending}`;
}

function two(part: number): string {
  return String(part).padStart(2, "0");
}
