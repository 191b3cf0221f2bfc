import { isoTime, textOfBytes } from "../../base.ts";
import { ERROR, parseDyn } from "../../ring.ts";
import { scalarFunctions } from "../functions.ts";
import { moving } from "../functions/moving.ts";
import {
  arithmetic, castDyn, compareDyn, equalDyn, fits, narrowDyn, readDyn, writeDyn, wrong,
} from "./open-values.ts";
import { gather } from "../window/gather.ts";
import { magnitudeOf, peakOf } from "../window/spectral.ts";
import { order, quantile } from "../window/quantile.ts";
import { recency } from "../window/recency.ts";
import { divide64, multiply64, remainder64, words } from "./words.ts";

/** Plain functions that generated code calls. None allocates, except those that say so. */

/** UTF-8 bytes in order, as eKuiper compares strings: −1, 0 or 1. */
function compareBytes(
  U: Uint8Array, a: number, aLength: number, b: number, bLength: number,
): number {
  const n = aLength < bLength ? aLength : bLength;
  for (let i = 0; i < n; i++) {
    const difference = U[a + i]! - U[b + i]!;
    if (difference !== 0) return difference < 0 ? -1 : 1;
  }
  return aLength === bLength ? 0 : aLength < bLength ? -1 : 1;
}

function sameBytes(U: Uint8Array, a: number, aLength: number, b: number, bLength: number): boolean {
  if (aLength !== bLength) return false;
  for (let i = 0; i < aLength; i++) if (U[a + i] !== U[b + i]) return false;
  return true;
}

function copyBytes(U: Uint8Array, to: number, from: number, length: number): void {
  for (let i = 0; i < length; i++) U[to + i] = U[from + i]!;
}

/** FNV-1a, 32 bits (Fowler, Noll, Vo). */
function hashBytes(U: Uint8Array, at: number, length: number, hash: number): number {
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ U[at + i]!, 0x01000193);
  return hash;
}

const percent = 37, underscore = 95, backslash = 92;

/** Bytes of the UTF-8 character that starts with `byte`. */
const characterBytes = (byte: number): number =>
  byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;

/**
 * LIKE: `%` any text, `_` one character, `\` takes the next one literally. Greedy with one
 * retreat.
 */
function like(
  U: Uint8Array, text: number, textLength: number, pattern: number, length: number,
): boolean {
  const textEnd = text + textLength, end = pattern + length;
  let retryPattern = -1, retryText = -1;
  while (text < textEnd) {
    const p = pattern < end ? U[pattern]! : -1;
    if (p === percent) {
      retryPattern = ++pattern;
      retryText = text;
      continue;
    }
    if (p === underscore) {
      text += characterBytes(U[text]!);
      pattern++;
      continue;
    }
    const literal = p === backslash && pattern + 1 < end ? pattern + 1 : pattern;
    if (p >= 0 && U[literal] === U[text]) {
      text++;
      pattern = literal + 1;
      continue;
    }
    if (retryPattern < 0) return false;
    retryText += characterBytes(U[retryText]!);
    text = retryText;
    pattern = retryPattern;
  }
  while (pattern < end && U[pattern] === percent) pattern++;
  return pattern === end;
}

const word = 4294967296;

/** Bit operations on whole numbers up to ±(2^53 − 1), as two's complement of 64 bits. */
const bitAnd = (a: number, b: number): number =>
  (Math.floor(a / word) & Math.floor(b / word)) * word + ((a & b) >>> 0);
const bitOr = (a: number, b: number): number =>
  (Math.floor(a / word) | Math.floor(b / word)) * word + ((a | b) >>> 0);
const bitXor = (a: number, b: number): number =>
  (Math.floor(a / word) ^ Math.floor(b / word)) * word + ((a ^ b) >>> 0);

/** Allocates: puts the words of a whole number. False if it does not fit 64 bits. */
function setBig(whole: bigint): boolean {
  words[0] = Number(BigInt.asIntN(32, whole));
  words[1] = Number(BigInt.asIntN(32, whole >> 32n));
  return BigInt.asIntN(64, whole) === whole;
}

const bigOf = (low: number, high: number): bigint => (BigInt(high) << 32n) | BigInt(low >>> 0);

const encoder = new TextEncoder();
const scratch = new Uint8Array(65536);

/** Allocates: the text as a JavaScript string, for functions whose body is plain JavaScript. */
function textOf(U: Uint8Array, at: number, length: number): string {
  for (let i = 0; i < length; i++) scratch[i] = U[at + i]!;
  return textOfBytes(scratch.subarray(0, length));
}

/** Allocates: writes a string into a slot; its length in bytes, or −1 if it does not fit. */
function putText(U: Uint8Array, at: number, slot: number, text: string): number {
  const { read, written } = encoder.encodeInto(text, scratch);
  if (read < text.length || written > slot) return -1;
  for (let i = 0; i < written; i++) U[at + i] = scratch[i]!;
  return written;
}

/** Allocates: a copy of bytes, for the same functions. */
const bytesOf = (U: Uint8Array, at: number, length: number): Uint8Array =>
  Uint8Array.from(U.subarray(at, at + length));

function putBytes(U: Uint8Array, at: number, slot: number, bytes: Uint8Array): number {
  if (bytes.length > slot) return -1;
  U.set(bytes, at);
  return bytes.length;
}

/** Allocates: a number as JSON writes it. */
const numberText = (U: Uint8Array, at: number, slot: number, value: number): number =>
  putText(U, at, slot, JSON.stringify(value));

const int64Text = (U: Uint8Array, at: number, slot: number, low: number, high: number): number =>
  putText(U, at, slot, String(bigOf(low, high)));

const boolText = (U: Uint8Array, at: number, slot: number, value: number | boolean): number =>
  putText(U, at, slot, value ? "true" : "false");

/** ISO 8601; −1 if the time is outside what a date can be. */
const timeText = (U: Uint8Array, at: number, slot: number, time: number): number =>
  Math.abs(time) <= 8.64e15 ? putText(U, at, slot, new Date(time).toISOString()) : -1;

/** Allocates, as the next ones: NaN if the text is no number. */
const numberOf = (U: Uint8Array, at: number, length: number): number =>
  Number(textOf(U, at, length));

/** 0, 1 or NaN. */
function boolOf(U: Uint8Array, at: number, length: number): number {
  const text = textOf(U, at, length);
  return text === "true" || text === "1" ? 1 : text === "false" || text === "0" ? 0 : NaN;
}

const timeOf = (U: Uint8Array, at: number, length: number): number =>
  isoTime(U, at, at + length, "UTC");

/** Puts the words of a text: 0, or the error if it is no whole number of 64 bits. */
function int64Of(U: Uint8Array, at: number, length: number): number {
  const text = textOf(U, at, length).trim();
  if (!/^[+-]?\d{1,20}$/.test(text)) return ERROR.parse;
  return setBig(BigInt(text.replace("+", ""))) ? 0 : ERROR.overflow;
}

/** Bodies of the plain scalar functions, by name. */
const body = Object.fromEntries([...scalarFunctions.values()].map((f) => [f.name, f.body]));

export const callees = {
  compareBytes, sameBytes, copyBytes, hashBytes, like, bitAnd, bitOr, bitXor, textOf, putText,
  bytesOf, putBytes, recency,
  gather, words, multiply64, divide64, remainder64, order, quantile, moving, peakOf, magnitudeOf,
  readDyn, writeDyn, fits, parseDyn, bigOf, setBig, arithmetic, compareDyn, equalDyn, narrowDyn,
  castDyn, wrong,
  numberText, int64Text, boolText, timeText, numberOf, boolOf, timeOf, int64Of, body,
};
export type Callees = typeof callees;
