// What workloads write: bytes that depend on their place and on a seed, so that pieces look alike only where their seeds
// end in the same byte, and each is known again without being kept.

/** After so many bytes a pattern begins again. */
const periodBytes = 65_536;

/** One period of each pattern that was asked for: 16 MiB at most. */
const periods: (Uint8Array | undefined)[] = new Array(256);

function periodOf(start: number): Uint8Array {
  const known = periods[start];
  if (known !== undefined) return known;
  const period = new Uint8Array(periodBytes);
  for (let at = 0; at < periodBytes; at++) period[at] = (at * 31 + start + (at >> 8)) & 0xff;
  periods[start] = period;
  return period;
}

export function pattern(seed: number, bytes: number): Uint8Array {
  const made = new Uint8Array(bytes);
  const period = periodOf((seed * 17) & 0xff);
  for (let at = 0; at < bytes; at += periodBytes)
    made.set(period.subarray(0, Math.min(periodBytes, bytes - at)), at);
  return made;
}
