/**
 * What the box speaks, over TCP. Numbers have their highest byte first; an answer repeats number
 * and first cell of its request.
 *
 *     | length:2 | number:2 | what:1 | first:2 | count:1 | count × 8 bytes |
 *       0          2          4        5         7         8
 *
 * `what` is 1 to read and 2 to write, in the answer 0x81 and 0x82; 0xff refuses, and `count` is
 * then the reason. A read has no cells, nor has the answer to a write.
 */
export const READ = 1, WRITE = 2, ANSWER = 0x80, REFUSAL = 0xff;
export const NO_CELL = 1;
export const head_bytes = 8;
export const cell_bytes = 8;
export const cells_max = 32;
export const frame_bytes_max = head_bytes + cells_max * cell_bytes;

export const get16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;

function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value;
}

/** Bytes of the frame in front; 0 = not to be told yet, −1 = no frame begins here. */
export function frameBytes(input: Uint8Array, filled: number): number {
  if (filled < 2) return 0;
  const n = get16(input, 0);
  const isWhole = n >= head_bytes && n <= frame_bytes_max && n % cell_bytes === 0;
  return isWhole ? n : -1;
}

/** Puts the head of a frame of `cells` cells; bytes of the whole. */
export function putHead(
  out: Uint8Array, number: number, what: number, first: number, count: number, cells: number,
): number {
  const n = head_bytes + cells * cell_bytes;
  put16(out, 0, n);
  put16(out, 2, number);
  out[4] = what;
  put16(out, 5, first);
  out[7] = count;
  return n;
}
