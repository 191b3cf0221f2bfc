import { get16, put16, SHORT_STRING, STRING, STRUCT } from "./cip.ts";

/** The STRING that every Logix controller has; other structures are the program's own. */
const logix_string = 0x0fce;
const logix_characters_max = 82;
/** Its length and its characters, filled up to whole words. */
export const logix_bytes = 88;
/** What the lengths of the other two count to. */
const string_characters_max = 65535, short_characters_max = 255;

/** Where the characters of a text stand, and how many may. */
interface TextAt {
  readonly from: number;
  readonly to: number;
  readonly room: number;
}

/** The text in `bytes[at…end)`, behind its type; null = there is none, or a part of it. */
export function textAt(type: number, bytes: Uint8Array, at: number, end: number): TextAt | null {
  const isLogix = type === STRUCT && end - at === logix_bytes;
  if (!isLogix && type !== STRING && type !== SHORT_STRING) return null;
  const length = lengthAt(type, bytes, at, end);
  const from = at + leadBytes(type);
  const room = isLogix ? logix_characters_max
    : type === STRING ? string_characters_max : short_characters_max;
  return length < 0 || length > room ? null : { from, to: from + length, room };
}

/** Bytes that the text has there, or a structure like one; −1 = not all of them came. */
export function lengthAt(type: number, bytes: Uint8Array, at: number, end: number): number {
  const from = at + leadBytes(type);
  if (from > end) return -1;
  const low = type === SHORT_STRING ? bytes[at]! : get16(bytes, at);
  const length = type === STRUCT ? low + get16(bytes, at + 2) * 65536 : low;
  return from + length > end ? -1 : length;
}

/** Bytes of the length in front of the characters. */
export const leadBytes = (type: number): number => (type === STRUCT ? 4 : type === STRING ? 2 : 1);

/** True if the type at `bytes[at…]` is a text's that can be written: of structures STRING alone. */
export const isText = (bytes: Uint8Array, at: number): boolean =>
  (get16(bytes, at) === STRUCT ? get16(bytes, at + 2) === logix_string
    : get16(bytes, at) === STRING || get16(bytes, at) === SHORT_STRING);

/** How a write, and the answer to a read, names the type. */
export function typeBytes(type: number): Uint8Array {
  const out = new Uint8Array(type === STRUCT ? 4 : 2);
  put16(out, 0, type);
  if (type === STRUCT) put16(out, 2, logix_string);
  return out;
}

/** A text as the type has it: the structure whole, so that nothing of an older one is left. */
export function textBytes(type: number, characters: Uint8Array): Uint8Array {
  const lead = leadBytes(type);
  const out = new Uint8Array(type === STRUCT ? logix_bytes : lead + characters.length);
  if (type === SHORT_STRING) out[0] = characters.length;
  else put16(out, 0, characters.length);
  out.set(characters, lead);
  return out;
}

/** The type that a text of so many characters has in a controller: the usual one, if it fits. */
export const textType = (room: number): number => (room <= logix_characters_max ? STRUCT : STRING);
