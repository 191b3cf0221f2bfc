/** `01 03 00 00`: wire bytes as a person reads them. */
export function hex(bytes: Uint8Array, from = 0, to = bytes.length): string {
  let text = "";
  for (let i = from; i < to; i++) {
    if (i > from) text += " ";
    text += bytes[i]!.toString(16).padStart(2, "0");
  }
  return text;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The text that bytes are in UTF-8; a byte order mark in front is a character like any other. */
export const textOfBytes = (bytes: Uint8Array): string => decoder.decode(bytes);

/** Smallest power of two that is not below `n` (n ≥ 1). */
export function nextPowerOfTwo(n: number): number {
  let power = 1;
  while (power < n) power *= 2;
  return power;
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const sextets = new Uint8Array(256).fill(255);
for (let i = 0; i < 64; i++) sextets[letters.charCodeAt(i)] = i;
sextets[0x2d] = 62;
sextets[0x5f] = 63;
const PAD = 0x3d;

/**
 * Bytes of a base64 text (RFC 4648, both alphabets) into `out` from `at` on, up to `end`: their
 * number, −1 if it is no such text, −2 if they do not fit. Nothing is allocated.
 */
export function base64Into(
  text: Uint8Array, from: number, last: number, out: Uint8Array, at: number, end: number,
): number {
  let to = last;
  while (to > from && to > last - 2 && text[to - 1] === PAD) to--;
  if ((to - from) % 4 === 1) return -1;
  let place = at, bits = 0, held = 0;
  for (let i = from; i < to; i++) {
    const sextet = sextets[text[i]!]!;
    if (sextet === 255) return -1;
    held = held << 6 | sextet;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    if (place >= end) return -2;
    out[place++] = held >> bits & 255;
    held &= (1 << bits) - 1;
  }
  return place - at;
}
