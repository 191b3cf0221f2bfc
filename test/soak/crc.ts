/**
 * The CRC of Modbus RTU by the bits of the standard's text (Serial Line 1.02, 6.2.2), and how often
 * it lets a change pass. Nothing is shared with the driver.
 */
const steps = Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let i = 0; i < 8; i++) crc = crc % 2 === 1 ? Math.floor(crc / 2) ^ 0xa001 : crc / 2;
  return crc;
});
const after = (crc: number, byte: number): number => (crc >> 8) ^ steps[(crc ^ byte) & 255]!;

function crcOf(bytes: ArrayLike<number>, n: number): number {
  let crc = 0xffff;
  for (let i = 0; i < n; i++) crc = after(crc, bytes[i]!);
  return crc;
}

export const isSound = (bytes: ArrayLike<number>, n: number): boolean =>
  n >= 4 && crcOf(bytes, n - 2) === (bytes[n - 2]! | (bytes[n - 1]! << 8));

export function framed(body: readonly number[]): number[] {
  const crc = crcOf(body, body.length);
  return [...body, crc & 255, crc >> 8];
}

/** `marks[i]`: what each bit of a byte with `i` bytes behind it changes in the CRC. */
const marks: number[][] = [Array.from({ length: 8 }, (_, bit) => steps[1 << bit]!)];
while (marks.length < 256) marks.push(marks.at(-1)!.map((crc) => after(crc, 0)));

/** How many changes of these bytes, none of all of them among them, leave the CRC as it was. */
function changesThatPass(places: readonly number[]): number {
  const basis: number[] = [];
  for (const place of places) {
    for (let mark of marks[place]!) {
      for (const other of basis) mark = Math.min(mark, mark ^ other);
      if (mark !== 0) basis.push(mark);
    }
  }
  return 2 ** (8 * places.length - basis.length);
}

/** From so many changed bytes on it is one of 65,536 to the third digit. */
const many = 5;

/**
 * The chance that a frame passes of which just these bytes, and each of them to any other value,
 * are changed. One of 65,536 is true on the average over all changes, but not of a few bytes: two
 * of them pass in 1 of 2,098 cases if there is one byte between them, and never if none is; over
 * all places in 25 bytes in one of 16,490, in 255 bytes one of 28,038.
 */
export function chanceToPass(places: readonly number[]): number {
  const { length } = places;
  if (length === 0) return 1;
  if (length > many) return 1 / 65_536;
  let passing = 0;
  // Of all changes those that leave one of the bytes as it was do not count, and so on.
  for (let chosen = 0; chosen < 1 << length; chosen++) {
    const some = places.filter((_, i) => (chosen >> i) % 2 === 1);
    passing += (length - some.length) % 2 === 1 ? -changesThatPass(some) : changesThatPass(some);
  }
  return passing / 255 ** length;
}
