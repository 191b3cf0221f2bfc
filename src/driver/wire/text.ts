import { Fault, limits, textOfBytes } from "../../base.ts";
import type { DriverTag, Raw } from "../../driver.ts";

/**
 * A text that the gate reads or writes, whatever the protocol makes of it:
 *
 *     | bytes:1 | characters | 0 up to the room of text(n) |
 *       0         1
 *
 * so that all raw words of a tag are of one length.
 */
const characters_at = 1;

const encoder = new TextEncoder();

/** The n of text(n); 0 = it is no text. */
export const textRoom = (type: string): number => Number(/^text\((\d+)\)$/.exec(type)?.[1] ?? 0);

export const textRawBytes = (type: string): number => characters_at + textRoom(type);

/** Which characters a protocol has for certain: those of ASCII, or all but control characters. */
export type Characters = "ascii" | "unicode";

const foreign: Readonly<Record<Characters, RegExp>> = {
  ascii: /[^\x20-\x7e]/, unicode: /[\p{Cc}\p{Cs}]/u,
};

/** The raw form of a text, which means itself; a Fault if the tag cannot hold it. */
export function encodeText(tag: DriverTag, value: unknown, characters: Characters): Raw {
  const { id, type } = tag;
  const fault = (why: string): Fault => new Fault("value-range", why, { tag: id });
  if (typeof value !== "string") throw fault(`${id} takes a text`);
  const wrong = foreign[characters].exec(value)?.[0];
  if (wrong !== undefined) {
    throw fault(`the character U+${wrong.codePointAt(0)!.toString(16).padStart(4, "0")} has no ` +
      "place in it");
  }
  const text = encoder.encode(value);
  if (text.length > textRoom(type)) {
    throw fault(`it has ${text.length} bytes, and ${type} at most ${textRoom(type)}`);
  }
  const bytes = new Uint8Array(textRawBytes(type));
  bytes[0] = text.length;
  bytes.set(text, characters_at);
  return { bytes, means: value };
}

export const decodeText = (raw: Uint8Array): string => textOfBytes(charactersOf(raw));

/** The characters alone. */
export const charactersOf = (raw: Uint8Array): Uint8Array =>
  raw.subarray(characters_at, characters_at + raw[0]!);

/** Characters that were read, as raw words; false = there is no room for them. */
export function putCharacters(
  raw: Uint8Array, bytes: Uint8Array, from: number, to: number,
): boolean {
  const n = to - from;
  if (n > raw.length - characters_at) return false;
  raw.fill(0);
  raw[0] = n;
  for (let i = 0; i < n; i++) raw[characters_at + i] = bytes[from + i]!;
  return true;
}

/** Why a tag that is no number cannot be written, or null. */
export function textProblem({ type }: DriverTag): string | null {
  if (textRoom(type) === 0) {
    return `Writing a ${type} is not in this version; "access" must be "read"`;
  }
  return textRoom(type) <= limits.text_write_bytes_max ? null : `A text that is written has at ` +
    `most ${limits.text_write_bytes_max} bytes, not ${textRoom(type)}; or "access": "read"`;
}
