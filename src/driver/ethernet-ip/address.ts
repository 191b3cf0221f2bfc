import { Fault } from "../../base.ts";
import { arrayOf, type TagType } from "../../ring.ts";

/** Where a tag lies in the controller. */
export interface Address {
  /** The symbolic path without the last index, as the controller takes it (EPATH, whole words). */
  readonly path: Uint8Array;
  /** The same in words, for people and to know neighbours by, in one spelling for all. */
  readonly base: string;
  /** Element of an array that the path ends in; of an array of bools the word; −1 = none. */
  readonly index: number;
  /** Bit of a whole number or of an array of bools' word; −1 = none. */
  readonly bit: number;
}

/** `Motor`, `Program:Main`, `Local:1:I`, each with indices or without. */
const segment = /^([A-Za-z_][A-Za-z0-9_]*(?::[A-Za-z0-9_]+)*)(?:\[(\d+(?:,\d+)*)\])?$/;
const name_characters_max = 40;
export const index_max = 2 ** 32 - 1;
/** Bools of an array lie in words of so many. */
const bools_per_word = 32;

const wrong = (at: string, sentence: string): Fault =>
  new Fault("cip-address", `\`${at}\`: ${sentence}`, { at });

/** The place of a tag; of an array that of its first item. */
export function parseAddress(at: string, type: TagType): Address {
  const array = arrayOf(type);
  if (array === null) return parseOne(at, type);
  const first = parseOne(at, array.item);
  if (first.index < 0 && first.bit < 0) {
    throw wrong(at, "an array begins at an element of one dimension, as in `Recipe[0]`, or at a " +
      "bit, as in `Status.0`");
  }
  // Its last item must be a place, too.
  parseOne(itemAt(at, array.count - 1), array.item);
  return first;
}

/** How item `index` of an array is spelled whose first one is `at`: `Recipe[4]`, `Status.6`. */
export const itemAt = (at: string, index: number): string =>
  at.trim().replace(/(\d+)(\]?)$/, (_, first, end) => `${Number(first) + index}${end}`);

/** Words of an array of bools that so many bits from `bit` on lie in. */
export const wordsOfBits = (bit: number, count: number): number =>
  Math.ceil((bit + count) / bools_per_word);

/** Reads a tag's name as the controller's program has it; a Fault says what would be right. */
function parseOne(at: string, type: TagType): Address {
  const parts = at.trim().split(".");
  const isBit = parts.length > 1 && /^\d+$/.test(parts.at(-1)!);
  const bit = isBit ? Number(parts.pop()) : -1;
  if (isBit && type !== "bool") throw wrong(at, `.${bit} picks a bit: the type must be bool`);
  if (bit > 63) throw wrong(at, "a whole number has bits `.0` to `.63` at most");
  const bytes: number[] = [];
  const names: string[] = [];
  let index = -1;
  parts.forEach((part, i) => {
    const found = segment.exec(part);
    if (found === null) throw wrong(at, problemOf(part));
    const [, name, text] = found;
    if (name!.length > name_characters_max) {
      throw wrong(at, `a name has at most ${name_characters_max} characters`);
    }
    bytes.push(0x91, name!.length, ...new TextEncoder().encode(name));
    if (name!.length % 2 !== 0) bytes.push(0);
    const indices = text?.split(",").map(Number) ?? [];
    if (indices.length > 3) throw wrong(at, "an array has at most three dimensions");
    if (indices.some((n) => n > index_max)) throw wrong(at, "an index ends at 4294967295");
    const isLast = i === parts.length - 1 && indices.length === 1 && !isBit;
    if (isLast) index = indices[0]!;
    else for (const n of indices) bytes.push(...indexBytes(n));
    names.push(name!.toLowerCase() + (isLast || indices.length === 0 ? "" : `[${indices}]`));
  });
  const base = names.join(".");
  const path = Uint8Array.from(bytes);
  if (type !== "bool" || bit >= 0 || index < 0) return { path, base, index, bit };
  const word = Math.floor(index / bools_per_word);
  return { path, base, index: word, bit: index % bools_per_word };
}

function problemOf(part: string): string {
  if (part === "") return "a name is missing beside a dot";
  if (/^\d+!/.test(part)) return "no station stands in front: write the tag's name alone";
  return `"${part}" is no tag name; write it as the program has it: \`Motor.Speed\`, ` +
    "`Recipe[3]`, `Program:Main.Step`, `Status.5`";
}

/** An element segment: one, two or four bytes of index. */
function indexBytes(index: number): number[] {
  if (index < 2 ** 8) return [0x28, index];
  if (index < 2 ** 16) return [0x29, 0, index & 0xff, index >> 8];
  return [0x2a, 0, index & 0xff, (index >> 8) & 0xff, (index >> 16) & 0xff, index >>> 24];
}

/** Puts path and index; the bytes it took. */
export function putPath(out: Uint8Array, at: number, path: Uint8Array, index: number): number {
  out.set(path, at);
  if (index < 0) return path.length;
  const segmentBytes = indexBytes(index);
  out.set(segmentBytes, at + path.length);
  return path.length + segmentBytes.length;
}

/** Bytes that `putPath` takes. */
export const pathBytes = (path: Uint8Array, index: number): number =>
  path.length + (index < 0 ? 0 : indexBytes(index).length);
