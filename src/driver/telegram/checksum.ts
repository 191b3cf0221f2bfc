import { crc16 } from "../wire/crc16.ts";

/** How the sum over a frame's bytes is worked out. */
export type ChecksumKind = "xor" | "sum" | "lrc" | "crc16" | "crc16-ccitt";

export interface ChecksumSettings {
  readonly kind: ChecksumKind;
  /** On the wire: the bytes themselves, or two hexadecimal digits for each. */
  readonly as: "bytes" | "hex";
  /** Of the two bytes of a CRC. */
  readonly order: "high-first" | "low-first";
  /** The start of the frame is summed, too. */
  readonly withStart: boolean;
  /** The checksum follows the end, which is summed, too. */
  readonly afterEnd: boolean;
}

/** 0x1021, start 0xffff, not reflected. */
const ccitt = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  return crc;
});

type Sum = (bytes: Uint8Array, from: number, to: number) => number;

const added: Sum = (bytes, from, to) => {
  let sum = 0;
  for (let i = from; i < to; i++) sum += bytes[i]!;
  return sum & 0xff;
};

const sums: Readonly<Record<ChecksumKind, Sum>> = {
  sum: added,
  lrc: (bytes, from, to) => (-added(bytes, from, to)) & 0xff,
  xor(bytes, from, to) {
    let sum = 0;
    for (let i = from; i < to; i++) sum ^= bytes[i]!;
    return sum;
  },
  crc16,
  "crc16-ccitt"(bytes, from, to) {
    let crc = 0xffff;
    for (let i = from; i < to; i++) crc = ((crc << 8) & 0xffff) ^ ccitt[(crc >>> 8) ^ bytes[i]!]!;
    return crc;
  },
};

/** The sum of `bytes[from…to)`. */
export function checksum(
  kind: ChecksumKind, bytes: Uint8Array, from: number, to: number,
): number {
  return sums[kind](bytes, from, to);
}

/** Bytes that it takes on the wire. */
export function checksumBytes({ kind, as }: ChecksumSettings): number {
  return (kind.startsWith("crc16") ? 2 : 1) * (as === "hex" ? 2 : 1);
}

const digits = "0123456789ABCDEF";

/** Puts the sum at `bytes[at…]`; where it ends. */
export function putChecksum(
  { kind, as, order }: ChecksumSettings, sum: number, bytes: Uint8Array, at: number,
): number {
  const width = kind.startsWith("crc16") ? 2 : 1;
  for (let i = 0; i < width; i++) {
    const byte = sum >>> (8 * (order === "low-first" ? i : width - 1 - i)) & 0xff;
    if (as === "bytes") bytes[at++] = byte;
    else {
      bytes[at++] = digits.charCodeAt(byte >> 4);
      bytes[at++] = digits.charCodeAt(byte & 15);
    }
  }
  return at;
}
