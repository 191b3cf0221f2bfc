/** `01 03 00 00`: wire bytes as a person reads them. */
export function hex(bytes: Uint8Array, from = 0, to = bytes.length): string {
  let text = "";
  for (let i = from; i < to; i++) {
    if (i > from) text += " ";
    text += bytes[i]!.toString(16).padStart(2, "0");
  }
  return text;
}

/** Smallest power of two that is not below `n` (n ≥ 1). */
export function nextPowerOfTwo(n: number): number {
  let power = 1;
  while (power < n) power *= 2;
  return power;
}
