import { Fault } from "../../base.ts";

/** How a field is found in a payload. Numbers, because the hot path switches on them. */
export const WHOLE = 0, FIELD = 1, GROUP = 2, CHARACTERS = 3, BYTE = 4;

/** Where a field stands; everything counts from 1, as machines' manuals do. */
export interface Place {
  readonly kind: number;
  /** Number of the field, the group, the first character or byte. */
  readonly from: number;
  /** The last character. */
  readonly to: number;
  /** Of a byte: its bit, 0 = lowest; −1 = none. */
  readonly bit: number;
}

const wrong = (text: string, sentence: string): Fault =>
  new Fault("telegram-address", `\`${text}\`: ${sentence}`, { at: text });

const whole: Place = { kind: WHOLE, from: 0, to: 0, bit: -1 };

/** `field 3`, `match 1`, `chars 4..13`, `byte 5`, `byte 5.3`; empty = the whole telegram. */
export function parsePlace(text: string): Place {
  const trimmed = text.trim();
  if (trimmed === "") return whole;
  const found = /^(field|match|char|chars|byte) +(\d+)(?:(\.\.|\.)(\d+))?$/.exec(trimmed);
  if (found === null) {
    throw wrong(text, "no place in a telegram; write `field 3` (between separators), `match 1` " +
      "(group of its `match`), `chars 4..13`, or `byte 5` (binary)");
  }
  const [, word, first, dots, second] = found;
  const from = Number(first);
  if (from === 0) throw wrong(text, "the first one is 1");
  if (word === "byte") {
    if (dots === "..") throw wrong(text, "how many bytes it has, the tag's type says: `byte 5`");
    const bit = dots === undefined ? -1 : Number(second);
    if (bit > 7) throw wrong(text, "a byte has bits .0 (lowest) to .7");
    return { kind: BYTE, from, to: from, bit };
  }
  if (dots === ".") throw wrong(text, "a bit is one of a byte: `byte 5.3`");
  if (word === "char" || word === "chars") {
    const to = dots === undefined ? from : Number(second);
    if (to < from) throw wrong(text, "goes from the first character to the last");
    return { kind: CHARACTERS, from, to, bit: -1 };
  }
  if (dots !== undefined) throw wrong(text, `a ${word} is one: \`${word} ${from}\``);
  return { kind: word === "field" ? FIELD : GROUP, from, to: from, bit: -1 };
}

/** A tag's `at`: the name of a telegram, and where in it the tag's field is. */
export interface Address {
  readonly telegram: string;
  readonly place: Place;
}

export function parseAddress(at: string): Address {
  const [, telegram, place] = /^\s*(\S+)([^]*)$/.exec(at) ?? [];
  if (telegram === undefined) throw wrong(at, "names no telegram of the link");
  return { telegram, place: parsePlace(place!) };
}
