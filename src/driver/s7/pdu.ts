import type { Area } from "./address.ts";

/**
 * ISO-on-TCP (RFC 1006, RFC 905 class 0) and the S7 telegrams inside, as the field knows them:
 *
 *     TPKT      | 3 | 0 | length:2 |                                          bytes 0…3
 *     COTP DT   | 2 | F0 | 80 |                                               bytes 4…6
 *     COTP CR   | n | E0 | 0:2 | our reference:2 | class 0 | parameters |     (CC: D0, DR: 80)
 *     header    | 32 | kind | 0:2 | reference:2 | parameters:2 | data:2 |     from byte 7
 *     answer      … | error class | error code |                              two bytes more
 *     set-up    | F0 | 0 | 1:2 | 1:2 | PDU:2 |
 *     read      | 04 | n | n × place |             answer  | 04 | n | n × item |
 *     write     | 05 | 1 | place | item |          answer  | 05 | 1 | code |
 *     place     | 12 | 0A | 10 | size | count:2 | DB:2 | area | bit address:3 |
 *     item      | code | size | length:2 | bytes, to an even number of them but in the last |
 */
const tpkt_bytes = 4;
const telegram_at = 7;
const JOB = 1, ACK = 2, ACK_DATA = 3;
const SETUP = 0xf0, READ = 4, WRITE = 5;
export const GOOD_CODE = 0xff;
const BIT = 1, BYTE = 2;
/** Sizes of an item's data: a bit, bytes counted in bits. */
const DATA_BIT = 3, DATA_BYTES = 4;

const job_bytes = 10;
const answer_bytes = 12;
const place_bytes = 12;
const item_bytes = 4;
/** Places of one read (the S7-300's bound, which the others keep). */
const places_max = 20;

/** The PDU that we ask for: the largest that any CPU grants. And the least that all of them do. */
export const pdu_bytes_max = 960;
export const pdu_bytes_min = 240;
/** Data of one item that fits every PDU. */
export const item_bytes_max = pdu_bytes_min - answer_bytes - 2 - item_bytes;
export const frame_bytes_max = 1024;

/** What a PDU of this size has room for: places of a request, and items of its answer. */
export function fits(pdu: number, items: number, answer: number): boolean {
  return items <= places_max && job_bytes + 2 + items * place_bytes <= pdu &&
    answer_bytes + 2 + answer <= pdu;
}

/** Bytes of an item of `n` bytes in an answer. */
export const itemBytes = (n: number): number => item_bytes + n + (n & 1);

export const get16 = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! << 8) | bytes[at + 1]!;

function put16(out: Uint8Array, at: number, value: number): void {
  out[at] = value >> 8;
  out[at + 1] = value;
}

/** Bytes of the frame in front: 0 = not known yet, −1 = none begins here. */
export function frameBytes(input: Uint8Array, filled: number): number {
  if (filled < 1) return 0;
  if (input[0] !== 3) return -1;
  if (filled < tpkt_bytes) return 0;
  const n = get16(input, 2);
  return n < telegram_at || n > frame_bytes_max ? -1 : n;
}

const CR = 0xe0, CC = 0xd0, DR = 0x80, DT = 0xf0;
const SIZE = 0xc0, CALLING = 0xc1, CALLED = 0xc2;

/** COTP connection request from one transport selector to another; its bytes. */
export function putConnect(out: Uint8Array, local: number, remote: number): number {
  const cotp = [
    17, CR, 0, 0, 0, 1, 0, SIZE, 1, 10, CALLING, 2, local >> 8, local & 0xff,
    CALLED, 2, remote >> 8, remote & 0xff,
  ];
  out.set(cotp, tpkt_bytes);
  return sealTpkt(out, tpkt_bytes + cotp.length);
}

export const isConfirm = (input: Uint8Array): boolean => input[5] === CC;
export const isConnect = (input: Uint8Array): boolean => input[5] === CR;
/** The reason of a refused connection, −1 = it is none. */
export function refusalOf(input: Uint8Array, n: number): number {
  return input[5] !== DR ? -1 : n > 10 ? input[10]! : 0;
}

/** The server's answer to a connection request: the same parameters. */
export function putConfirm(out: Uint8Array, request: Uint8Array, n: number): number {
  out.set(request.subarray(0, n));
  out[5] = CC;
  put16(out, 6, get16(request, 8));
  put16(out, 8, 1);
  return n;
}

function sealTpkt(out: Uint8Array, n: number): number {
  out[0] = 3;
  out[1] = 0;
  put16(out, 2, n);
  return n;
}

/** TPKT and COTP of `n` bytes of telegram that stand in `out` from byte 7 on; all bytes. */
function seal(out: Uint8Array, n: number): number {
  out[4] = 2;
  out[5] = DT;
  out[6] = 0x80;
  return sealTpkt(out, telegram_at + n);
}

function putJob(out: Uint8Array, reference: number, parameters: number, data: number): void {
  const at = telegram_at;
  out[at] = 0x32;
  out[at + 1] = JOB;
  put16(out, at + 2, 0);
  put16(out, at + 4, reference);
  put16(out, at + 6, parameters);
  put16(out, at + 8, data);
}

export function putSetup(out: Uint8Array, reference: number): number {
  putJob(out, reference, 8, 0);
  out.set([SETUP, 0, 0, 1, 0, 1, pdu_bytes_max >> 8, pdu_bytes_max & 0xff],
    telegram_at + job_bytes);
  return seal(out, job_bytes + 8);
}

const areaCodes: Readonly<Record<Area, number>> = { I: 0x81, Q: 0x82, M: 0x83, DB: 0x84 };

/** Bytes or a bit of one area. */
export interface Place {
  readonly area: Area;
  readonly db: number;
  readonly from: number;
  /** Bytes, or 1 for a bit. */
  readonly count: number;
  /** −1 = whole bytes. */
  readonly bit: number;
}

function putPlace(out: Uint8Array, at: number, place: Place): void {
  const { area, db, from, count, bit } = place;
  out[at] = 0x12;
  out[at + 1] = 0x0a;
  out[at + 2] = 0x10;
  out[at + 3] = bit < 0 ? BYTE : BIT;
  put16(out, at + 4, count);
  put16(out, at + 6, db);
  out[at + 8] = areaCodes[area];
  const address = from * 8 + Math.max(0, bit);
  out[at + 9] = address >> 16;
  out[at + 10] = address >> 8;
  out[at + 11] = address;
}

export function putRead(
  out: Uint8Array, reference: number, places: readonly Place[], first: number, count: number,
): number {
  const parameters = 2 + count * place_bytes;
  putJob(out, reference, parameters, 0);
  const at = telegram_at + job_bytes;
  out[at] = READ;
  out[at + 1] = count;
  for (let i = 0; i < count; i++) putPlace(out, at + 2 + i * place_bytes, places[first + i]!);
  return seal(out, job_bytes + parameters);
}

export function putWrite(
  out: Uint8Array, reference: number, place: Place, raw: Uint8Array,
): number {
  const parameters = 2 + place_bytes;
  putJob(out, reference, parameters, item_bytes + raw.length);
  const at = telegram_at + job_bytes;
  out[at] = WRITE;
  out[at + 1] = 1;
  putPlace(out, at + 2, place);
  const data = at + parameters;
  out[data] = 0;
  out[data + 1] = place.bit < 0 ? DATA_BYTES : DATA_BIT;
  put16(out, data + 2, place.bit < 0 ? raw.length * 8 : 1);
  out.set(raw, data + item_bytes);
  return seal(out, job_bytes + parameters + item_bytes + raw.length);
}

/** True if a whole telegram of a kind stands in the frame and its lengths agree. */
function isTelegram(input: Uint8Array, n: number, header: number): boolean {
  const at = telegram_at;
  return input[4] === 2 && input[5] === DT && (input[6]! & 0x80) !== 0 && n >= at + header &&
    input[at] === 0x32 && at + header + get16(input, at + 6) + get16(input, at + 8) === n;
}

/** True if the frame is an answer of the device that can be understood. */
export function isAnswer(input: Uint8Array, n: number): boolean {
  const kind = input[telegram_at + 1];
  return (kind === ACK || kind === ACK_DATA) && isTelegram(input, n, answer_bytes);
}

export const referenceOf = (input: Uint8Array): number => get16(input, telegram_at + 4);
/** Error class and code of a whole answer, 0 = none. */
export const errorOf = (input: Uint8Array): number => get16(input, telegram_at + 10);

/** The PDU that was granted, 0 = this is no such answer. */
export function grantedPdu(input: Uint8Array, n: number): number {
  const at = telegram_at + answer_bytes;
  return n === at + 8 && input[at] === SETUP ? get16(input, at + 6) : 0;
}

/** Where the items of a read's answer begin, 0 = it is none of `count` items. */
export function itemsAt(input: Uint8Array, count: number): number {
  const at = telegram_at + answer_bytes;
  return get16(input, telegram_at + 6) === 2 && input[at] === READ && input[at + 1] === count
    ? at + 2 : 0;
}

/** Code of a write's answer, −1 = it is none. */
export function writeCode(input: Uint8Array, n: number): number {
  const at = telegram_at + answer_bytes;
  return n === at + 3 && get16(input, telegram_at + 6) === 2 && input[at] === WRITE &&
    input[at + 1] === 1 ? input[at + 2]! : -1;
}

/** Data bytes of the item at `at`; it is good. */
export function dataBytes(input: Uint8Array, at: number): number {
  const length = get16(input, at + 2);
  switch (input[at + 1]) {
    case DATA_BIT: case DATA_BYTES: case 5: return Math.ceil(length / 8);
    default: return length;
  }
}

/** True if the frame is a request that can be understood. */
export function isJob(input: Uint8Array, n: number): boolean {
  return input[telegram_at + 1] === JOB && isTelegram(input, n, job_bytes);
}

/** What a request asks for; places are where they stand in the frame. */
export type Job =
  | { readonly kind: "setup"; readonly pdu: number }
  | {
    readonly kind: "read" | "write"; readonly places: readonly number[];
    /** Where a write's item stands. */
    readonly dataAt: number;
  };

/** Null = a request of another kind, or one whose parts do not agree. */
export function jobOf(input: Uint8Array, pdu_max: number): Job | null {
  const at = telegram_at + job_bytes;
  const [parameters, data] = [get16(input, telegram_at + 6), get16(input, telegram_at + 8)];
  if (input[at] === SETUP) {
    if (parameters !== 8) return null;
    return { kind: "setup", pdu: Math.min(pdu_max, get16(input, at + 6)) };
  }
  const count = input[at + 1]!;
  const dataAt = at + parameters;
  if (count < 1 || parameters !== 2 + count * place_bytes) return null;
  const places = Array.from({ length: count }, (_, i) => at + 2 + i * place_bytes);
  if (input[at] === READ) return { kind: "read", places, dataAt };
  const isOne = input[at] === WRITE && count === 1 && data >= item_bytes;
  return isOne && data === item_bytes + dataBytes(input, dataAt)
    ? { kind: "write", places, dataAt } : null;
}

/** The place that stands at `at` of a request; null = of an area or a size that is not known. */
export function placeAt(input: Uint8Array, at: number): Place | null {
  const area = (Object.keys(areaCodes) as Area[]).find((a) => areaCodes[a] === input[at + 8]);
  const size = input[at + 3];
  const count = get16(input, at + 4);
  if (area === undefined || input[at] !== 0x12 || input[at + 2] !== 0x10) return null;
  if (size !== BYTE && (size !== BIT || count !== 1)) return null;
  const address = (input[at + 9]! << 16) | get16(input, at + 10);
  const bit = size === BIT ? address & 7 : -1;
  return { area, db: get16(input, at + 6), from: address >> 3, count, bit };
}

/** The answer to a request: of each place its bytes, or a return code; its bytes. */
export function putAnswer(
  out: Uint8Array, request: Uint8Array, job: Job, items: readonly (Uint8Array | number)[],
): number {
  const at = telegram_at;
  const body = at + answer_bytes;
  let n = 2;
  if (job.kind === "setup") {
    out.set([SETUP, 0, 0, 1, 0, 1, job.pdu >> 8, job.pdu & 0xff], body);
    n = 8;
  } else {
    out[body] = job.kind === "read" ? READ : WRITE;
    out[body + 1] = items.length;
    items.forEach((item, i) => {
      n += putItem(out, body + n, job.kind === "read", item, i === items.length - 1);
    });
  }
  const parameters = job.kind === "setup" ? 8 : 2;
  out[at] = 0x32;
  out[at + 1] = ACK_DATA;
  put16(out, at + 2, 0);
  put16(out, at + 4, get16(request, at + 4));
  put16(out, at + 6, parameters);
  put16(out, at + 8, n - parameters);
  put16(out, at + 10, 0);
  return seal(out, answer_bytes + n);
}

function putItem(
  out: Uint8Array, at: number, isRead: boolean, item: Uint8Array | number, isLast: boolean,
): number {
  out[at] = typeof item === "number" ? item : GOOD_CODE;
  if (!isRead) return 1;
  out[at + 1] = typeof item === "number" ? 0 : DATA_BYTES;
  put16(out, at + 2, typeof item === "number" ? 0 : item.length * 8);
  if (typeof item === "number") return item_bytes;
  out.set(item, at + item_bytes);
  if (item.length % 2 === 0 || isLast) return item_bytes + item.length;
  out[at + item_bytes + item.length] = 0;
  return itemBytes(item.length);
}
