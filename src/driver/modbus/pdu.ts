import type { Area } from "./address.ts";

/**
 * The protocol data unit, the same under every framing (application protocol 1.1b3, section 6):
 *
 *     read     request  | function | from:2 | count:2 |         answer | function | n | n bytes |
 *     FC5      request  | 5 | at:2 | ff 00 or 00 00 |           answer: the same five bytes
 *     FC6      request  | 6 | at:2 | value:2 |                  answer: the same five bytes
 *     FC15     request  | 15 | from:2 | count:2 | n | n bytes | answer | 15 | from:2 | count:2 |
 *     FC16     request  | 16 | from:2 | count:2 | n | n bytes | answer | 16 | from:2 | count:2 |
 *     FC22     request  | 22 | at:2 | and:2 | or:2 |            answer: the same seven bytes
 *     refusal                                                   answer | function + 0x80 | code |
 */
export const READ_COILS = 1;
export const READ_DISCRETES = 2;
export const READ_HOLDINGS = 3;
export const READ_INPUTS = 4;
export const WRITE_COIL = 5;
export const WRITE_REGISTER = 6;
export const WRITE_COILS = 15;
export const WRITE_REGISTERS = 16;
/** A register becomes (it and `and`) or (`or` and not `and`): single bits of it change (6.16). */
export const MASK_WRITE = 22;
/** A read that writes first (6.17): it acts, so that no poll ever sends it (W24). */
export const READ_WRITE = 23;
/** Added to the function by an answer that refuses. */
export const REFUSED = 0x80;

/** The station that is all of them: they obey and are silent (Modbus over Serial Line, 2.2). */
export const BROADCAST = 0;

/** Largest PDU: 256 bytes of RS-485 frame − station − CRC (section 4.1). */
export const pdu_bytes_max = 253;

export const ILLEGAL_FUNCTION = 1;
export const ILLEGAL_ADDRESS = 2;
export const ILLEGAL_VALUE = 3;
export const DEVICE_FAILURE = 4;

export function readFunction(area: Area): number {
  switch (area) {
    case "coil": return READ_COILS;
    case "discrete": return READ_DISCRETES;
    case "holding": return READ_HOLDINGS;
    case "input": return READ_INPUTS;
  }
}

export function get16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function put16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value;
}

/**
 * True if five bytes are a read request by their form. The answers to FC3 and FC4 have an even
 * number of data bytes, never 3; the same form of FC1 and FC2 may be an answer, and is left out.
 */
export function isRead(bytes: Uint8Array, at: number): boolean {
  const code = bytes[at]!;
  if (code < READ_COILS || code > READ_INPUTS) return false;
  const count = get16(bytes, at + 3);
  return count >= 1 && count <= 2000 && (code > READ_DISCRETES || bytes[at + 1] !== 3);
}

/**
 * Whether the answer may be byte for byte its request: of writes that repeat it, and of a read of
 * three bytes of bits, which is as long.
 */
export function mayRepeat(bytes: Uint8Array, at: number): boolean {
  const code = bytes[at]!;
  return code > READ_INPUTS ||
    (code <= READ_DISCRETES && Math.ceil(get16(bytes, at + 3) / 8) === 3);
}

/** Puts a read request; its length. */
export function putRead(
  out: Uint8Array, at: number, code: number, from: number, count: number,
): number {
  out[at] = code;
  put16(out, at + 1, from);
  put16(out, at + 3, count);
  return 5;
}

/** Puts the write of whole registers by FC16, or by FC6 which takes one; its length. */
export function putWrite(
  out: Uint8Array, at: number, from: number, raw: Uint8Array, several: boolean,
): number {
  put16(out, at + 1, from);
  if (!several) {
    out[at] = WRITE_REGISTER;
    out.set(raw, at + 3);
    return 5;
  }
  out[at] = WRITE_REGISTERS;
  put16(out, at + 3, raw.length / 2);
  out[at + 5] = raw.length;
  out.set(raw, at + 6);
  return 6 + raw.length;
}

/** Puts the write of one coil, by FC15 or FC5; its length. */
export function putCoil(
  out: Uint8Array, at: number, from: number, on: boolean, several: boolean,
): number {
  put16(out, at + 1, from);
  if (!several) {
    out[at] = WRITE_COIL;
    put16(out, at + 3, on ? 0xff00 : 0);
    return 5;
  }
  out[at] = WRITE_COILS;
  put16(out, at + 3, 1);
  out[at + 5] = 1;
  out[at + 6] = on ? 1 : 0;
  return 7;
}

/** Puts the write of one bit of a register, whose other bits the device keeps; its length. */
export function putBit(
  out: Uint8Array, at: number, from: number, bit: number, on: boolean,
): number {
  out[at] = MASK_WRITE;
  put16(out, at + 1, from);
  put16(out, at + 3, 0xffff ^ (1 << bit));
  put16(out, at + 5, on ? 1 << bit : 0);
  return 7;
}
