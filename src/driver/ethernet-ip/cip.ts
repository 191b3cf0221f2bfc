import { pathBytes, putPath } from "./address.ts";

/**
 * EtherNet/IP and CIP (the Common Industrial Protocol), everything low byte first:
 *
 *     encapsulation | command:2 | length:2 | session:4 | status:4 | context:8 | options:4 |   24
 *     register      version 1:2 | options 0:2
 *     send data     interface 0:4 | timeout:2 | 2:2 | null 0:2 | 0:2 | data B2:2 | n:2 | n bytes
 *                                                                             from byte 40
 *     request       | service | path in words | path | data |
 *     answer        | service + 80 | 0 | status | words of more status | these | data |
 *     to a slot     | 52 | 2 | 20 06 24 01 | tick | ticks | n:2 | request, whole words |
 *                   | path in words | 0 | 01 slot |
 *     several       | 0A | 2 | 20 02 24 01 | count:2 | offset:2 … | requests |
 *     answer        | 8A | 0 | status | 0 | count:2 | offset:2 … | answers |
 *     read          | 4C | path | elements:2 |          answer data  | type:2 | elements |
 *     write         | 4D | path | type:2 | elements:2 | elements |   answer data  none
 *
 * Offsets count from the count. A structure's type is followed by its handle. The text types:
 *
 *     STRING of Logix   A0 02 | handle CE 0F | length:4 | 82 characters | 00 00
 *     STRING            D0 00 | length:2 | characters
 *     SHORT_STRING      DA 00 | length:1 | characters
 */
export const data_at = 40;
const header_bytes = 24;
/** Room of an unconnected request and of its answer: 504 bytes, less what the route takes. */
export const message_bytes_max = 480;
export const frame_bytes_max = 1024;

const REGISTER = 0x65, SEND_DATA = 0x6f;
export const READ = 0x4c, WRITE = 0x4d, SEVERAL = 0x0a;
const TO_SLOT = 0x52;
const ANSWER = 0x80;
/** Status of an answer to several requests of which one was refused. */
export const PART_REFUSED = 0x1e;

export const BOOL = 0xc1, DWORD = 0xd3, STRING = 0xd0, SHORT_STRING = 0xda, STRUCT = 0x2a0;
const whole: Readonly<Record<number, number>> = {
  0xc2: 1, 0xc3: 2, 0xc4: 4, 0xc5: 8, 0xc6: 1, 0xc7: 2, 0xc8: 4, 0xc9: 8, 0xd1: 1, 0xd2: 2,
  [DWORD]: 4, 0xd4: 8,
};
const REAL = 0xca, LREAL = 0xcb;

/** Types of the controller that a tag's type is read from, its own first: signs are the tag's. */
const types: Readonly<Record<string, readonly number[]>> = {
  bool: [BOOL],
  int8: [0xc2, 0xc6, 0xd1], uint8: [0xc6, 0xc2, 0xd1],
  int16: [0xc3, 0xc7, 0xd2], uint16: [0xc7, 0xc3, 0xd2],
  int32: [0xc4, 0xc8, DWORD], uint32: [0xc8, 0xc4, DWORD],
  int64: [0xc5, 0xc9, 0xd4], uint64: [0xc9, 0xc5, 0xd4],
  float32: [REAL], float64: [LREAL],
};
export const typesOf = (type: string): readonly number[] => types[type] ?? [];
export const isWhole = (type: number): boolean => type in whole;
/** Bytes of a number of the controller's type; 0 = it is none. */
export const bytesOfType = (type: number): number =>
  whole[type] ?? (type === BOOL ? 1 : type === REAL ? 4 : type === LREAL ? 8 : 0);

const names: Readonly<Record<number, string>> = {
  [BOOL]: "BOOL", 0xc2: "SINT", 0xc3: "INT", 0xc4: "DINT", 0xc5: "LINT", 0xc6: "USINT",
  0xc7: "UINT", 0xc8: "UDINT", 0xc9: "ULINT", [REAL]: "REAL", [LREAL]: "LREAL",
  [STRING]: "STRING", 0xd1: "BYTE", 0xd2: "WORD", [DWORD]: "DWORD", 0xd4: "LWORD",
  [SHORT_STRING]: "SHORT_STRING", [STRUCT]: "a structure",
};
export const typeName = (type: number): string => names[type] ?? `type 0x${type.toString(16)}`;

export const get16 = (bytes: Uint8Array, at: number): number =>
  bytes[at]! | (bytes[at + 1]! << 8);
const get32 = (bytes: Uint8Array, at: number): number =>
  (get16(bytes, at) | (get16(bytes, at + 2) << 16)) >>> 0;

export function put16(out: Uint8Array, at: number, value: number): void {
  out[at] = value;
  out[at + 1] = value >> 8;
}

function put32(out: Uint8Array, at: number, value: number): void {
  put16(out, at, value);
  put16(out, at + 2, value >>> 16);
}

/** Bytes of the frame in front: 0 = not known yet, −1 = none begins here. */
export function frameBytes(input: Uint8Array, filled: number): number {
  if (filled < 4) return 0;
  const n = header_bytes + get16(input, 2);
  const command = get16(input, 0);
  const known = command === REGISTER || command === SEND_DATA;
  return known && n <= frame_bytes_max ? n : -1;
}

/** Header of a frame of `n` bytes; `context` comes back with the answer. */
function seal(
  out: Uint8Array, command: number, n: number, session: number, context: number,
): number {
  put16(out, 0, command);
  put16(out, 2, n - header_bytes);
  put32(out, 4, session);
  put32(out, 8, 0);
  put32(out, 12, context);
  put32(out, 16, 0);
  put32(out, 20, 0);
  return n;
}

export const isRegister = (input: Uint8Array): boolean => get16(input, 0) === REGISTER;
export const sessionOf = (input: Uint8Array): number => get32(input, 4);
export const encapsulationStatus = (input: Uint8Array): number => get32(input, 8);
export const contextOf = (input: Uint8Array): number => get32(input, 12);

export function putRegister(out: Uint8Array, session: number, context: number): number {
  put16(out, header_bytes, 1);
  put16(out, header_bytes + 2, 0);
  return seal(out, REGISTER, header_bytes + 4, session, context);
}

/** The frame around a message of `n` bytes that stands at `data_at`. */
export function sealData(out: Uint8Array, n: number, session: number, context: number): number {
  put32(out, 24, 0);
  put16(out, 28, 0);
  put16(out, 30, 2);
  put32(out, 32, 0);
  put16(out, 36, 0xb2);
  put16(out, 38, n);
  return seal(out, SEND_DATA, data_at + n, session, context);
}

/** True if the frame carries one message, whole. */
export function isData(input: Uint8Array, n: number): boolean {
  return get16(input, 0) === SEND_DATA && n >= data_at && get16(input, 30) === 2 &&
    get32(input, 32) === 0 && get16(input, 36) === 0xb2 && get16(input, 38) === n - data_at;
}

/** Service, class and instance 1 of an object of the controller. */
function putObject(out: Uint8Array, at: number, service: number, object: number): void {
  out[at] = service;
  out[at + 1] = 2;
  out[at + 2] = 0x20;
  out[at + 3] = object;
  out[at + 4] = 0x24;
  out[at + 5] = 1;
}
const object_bytes = 6;
const ROUTER = 2, CONNECTIONS = 6;
/** How long the chassis may try to reach the slot, 2^tick × ticks ms: 5 s, unless it is limited. */
const tick = 5, ticks = 157;
const ticks_max = 255;
const route_bytes = object_bytes + 4;

/** Where a message for a slot begins, so that its route can be put around it. */
export const routed_at = data_at + route_bytes;

/** Puts the route around `n` bytes that stand at `routed_at`; all bytes from `data_at` on. */
export function putRoute(out: Uint8Array, n: number, slot: number): number {
  putObject(out, data_at, TO_SLOT, CONNECTIONS);
  out[data_at + object_bytes] = tick;
  out[data_at + object_bytes + 1] = ticks;
  put16(out, data_at + object_bytes + 2, n);
  let end = routed_at + n;
  if (n % 2 !== 0) out[end++] = 0;
  out[end] = 1;
  out[end + 1] = 0;
  out[end + 2] = 1;
  out[end + 3] = slot;
  return end + 4 - data_at;
}

/**
 * The chassis may try a routed message for `within_ms` at most, in the finest ticks that reach so
 * far. False = less than one tick is left.
 */
export function limitRoute(out: Uint8Array, within_ms: number): boolean {
  let fine = 0;
  while (within_ms >= (ticks_max + 1) * 2 ** fine) fine += 1;
  const count = Math.floor(within_ms / 2 ** fine);
  if (count < 1) return false;
  out[data_at + object_bytes] = fine;
  out[data_at + object_bytes + 1] = count;
  return true;
}

/** The read of some elements, as it stands in a message. */
export function readRequest(path: Uint8Array, index: number, elements: number): Uint8Array {
  const n = pathBytes(path, index);
  const out = new Uint8Array(4 + n);
  out[0] = READ;
  out[1] = n / 2;
  putPath(out, 2, path, index);
  put16(out, 2 + n, elements);
  return out;
}

/** The write of one element, whose type may have a structure's handle behind it; its bytes. */
export function putWrite(
  out: Uint8Array, at: number, path: Uint8Array, index: number, type: Uint8Array, raw: Uint8Array,
): number {
  const n = putPath(out, at + 2, path, index);
  out[at] = WRITE;
  out[at + 1] = n / 2;
  out.set(type, at + 2 + n);
  const end = at + 2 + n + type.length;
  put16(out, end, 1);
  out.set(raw, end + 2);
  return end + 2 + raw.length - at;
}

/** Head of a message of `count` requests; where the first of them stands after `at`. */
export function putSeveral(out: Uint8Array, at: number, count: number): number {
  putObject(out, at, SEVERAL, ROUTER);
  put16(out, at + object_bytes, count);
  return object_bytes + 2 + 2 * count;
}

/** Request `i` of several stands `offset` bytes after `at`. */
export function putOffset(out: Uint8Array, at: number, i: number, offset: number): void {
  put16(out, at + object_bytes + 2 + 2 * i, offset - object_bytes);
}

/** Bytes that each of several requests, and each of their answers, takes beside its own. */
export const offset_bytes = 2;
export const several_bytes = object_bytes + 2;
/** Bytes in front of a read's elements, of a structure too. */
export const answer_bytes = 8;
/** What one read can bring where it stands in a message with others. */
export const range_bytes_max = message_bytes_max - several_bytes - answer_bytes - offset_bytes;

/** An answer as it stands in a frame; one object for all, so that nothing is made per answer. */
export class Answer {
  status = 0;
  /** It is of who was to pass the request on: nobody has looked at the request itself. */
  isRouting = false;
  /** The data of a good answer: from, and past the end. */
  from = 0;
  end = 0;

  /** Reads the answer to `service` that stands in `input[at…end)`. False = it is none. */
  read(input: Uint8Array, at: number, end: number, service: number): boolean {
    if (at + 4 > end) return false;
    const from = at + 4 + input[at + 3]! * 2;
    this.isRouting = input[at] === (TO_SLOT | ANSWER) && input[at + 2] !== 0;
    if (from > end || (input[at] !== (service | ANSWER) && !this.isRouting)) return false;
    this.status = statusOf(input, at);
    this.from = from;
    this.end = end;
    return true;
  }
}

/** 1 and FF say little: the words behind them say what. */
function statusOf(input: Uint8Array, at: number): number {
  const status = input[at + 2]!;
  const more = input[at + 3]! > 0 ? get16(input, at + 4) : 0;
  return (status === 1 || status === 0xff) && more !== 0 ? more : status;
}

/** Where answer `i` of the several that stand in `input[from…end)` begins; `i` = count: the end. */
export function answerAt(input: Uint8Array, from: number, end: number, i: number): number {
  return i === get16(input, from) ? end : from + get16(input, from + 2 + 2 * i);
}

/** True if `count` answers stand there, one after the other. */
export function isSeveral(input: Uint8Array, from: number, end: number, count: number): boolean {
  if (from + 2 + 2 * count > end || get16(input, from) !== count) return false;
  let last = from + 2 + 2 * count;
  for (let i = 0; i < count; i++) {
    const at = answerAt(input, from, end, i);
    if (at < last || at > end) return false;
    last = at;
  }
  return true;
}

/** What a server is asked: the message itself, its route taken off. */
export function requestAt(input: Uint8Array, at: number, end: number): readonly [number, number] {
  if (input[at] !== TO_SLOT || input[at + 3] !== CONNECTIONS) return [at, end];
  const n = get16(input, at + object_bytes + 2);
  return [at + route_bytes, Math.min(end, at + route_bytes + n)];
}

/** Head of an answer; its bytes. */
export function putAnswer(out: Uint8Array, at: number, service: number, status: number): number {
  out.set([service | ANSWER, 0, status, 0], at);
  return 4;
}
