import { assert } from "../../base.ts";
import type { DriverTag, Request } from "../../driver.ts";
import { BAD, spoilCell, type Ring } from "../../ring.ts";
import {
  ANSWERED, DAMAGED, STRAY, type Protocol,
} from "../wire/stream-session.ts";
import { Field } from "./codec.ts";
import {
  dataBytes, errorOf, frame_bytes_max, frameBytes, get16, GOOD_CODE, grantedPdu, isAnswer,
  isConfirm, itemBytes, itemsAt, pdu_bytes_max, pdu_bytes_min, putConnect, putRead, putSetup,
  putWrite, referenceOf, refusalOf, writeCode, type Place,
} from "./pdu.ts";
import type { ByteRange, S7Request } from "./plan.ts";
import type { S7Link } from "./settings.ts";
import { remoteTsap } from "./tsap.ts";
import { isAddress, PAST_THE_END, wordsOf } from "./words.ts";

/** The greeting: transport connection, then PDU. */
const CONNECT = 0;
const default_local_tsap = 0x0100;

/** What S7 says of its frames; the exchange is `StreamSession`'s. */
export class S7Protocol implements Protocol {
  readonly frame_bytes_max = frame_bytes_max;
  readonly greetings = 2;
  readonly frameBytes = frameBytes;
  readonly isAddress = isAddress;
  trouble = "";
  readonly refusals = new Map<DriverTag, string>();
  readonly #settings: S7Link;
  readonly #fields = new Map<DriverTag, Field>();
  #pdu = pdu_bytes_min;
  #reference = 0;
  #one: Place[] = [];

  constructor(settings: S7Link) {
    this.#settings = settings;
  }

  get silence(): string {
    const { port, rack, slot, remoteTsap: given } = this.#settings;
    return `is ${port} the port of an S7 PLC, and not another protocol's? And is ` +
      (given === undefined ? `its CPU in rack ${rack}, slot ${slot}?` : "its remoteTsap right?");
  }

  putGreeting(step: number, out: Uint8Array): number {
    if (step > CONNECT) return putSetup(out, this.#nextReference());
    const { localTsap = default_local_tsap } = this.#settings;
    return putConnect(out, localTsap, remoteTsap(this.#settings));
  }

  greeted(step: number, input: Uint8Array, n: number): string | null {
    if (step === CONNECT) return this.#connected(input, n);
    if (!isAnswer(input, n)) return "the PLC does not speak S7 here";
    const error = errorOf(input);
    if (error !== 0) return `the PLC refuses the connection's set-up: ${wordsOf(error)}`;
    this.#pdu = Math.min(pdu_bytes_max, grantedPdu(input, n));
    return this.#pdu >= pdu_bytes_min ? null
      : `the PLC grants telegrams of ${this.#pdu} bytes, ${pdu_bytes_min} are needed`;
  }

  #connected(input: Uint8Array, n: number): string | null {
    if (isConfirm(input)) return null;
    const reason = refusalOf(input, n);
    if (reason < 0) return "what came is not this protocol: is it the right port?";
    const { rack, slot, remoteTsap: given } = this.#settings;
    return "the PLC refuses the connection " + (given === undefined
      ? `to rack ${rack}, slot ${slot}: an S7-1200 and S7-1500 have slot 1, an S7-300 slot 2`
      : "to this remoteTsap") + `; or it has no connection left (reason ${reason})`;
  }

  partsOf(request: Request): number {
    return (request as S7Request).starts(this.#pdu).length - 1;
  }

  putRead(request: Request, part: number, out: Uint8Array): number {
    const { ranges } = request as S7Request;
    const starts = (request as S7Request).starts(this.#pdu);
    const first = starts[part]!;
    return putRead(out, this.#nextReference(), ranges, first, starts[part + 1]! - first);
  }

  takeRead(
    request: Request, part: number, input: Uint8Array, n: number, into: Ring, seq: number,
  ): number {
    const { ranges } = request as S7Request;
    const starts = (request as S7Request).starts(this.#pdu);
    const first = starts[part]!;
    const end = starts[part + 1]!;
    const head = this.#head(input, n);
    if (head !== ANSWERED) return head;
    const from = itemsAt(input, end - first);
    if (from === 0 || !isWhole(input, from, n, ranges, first, end)) return DAMAGED;
    for (let i = first, at = from; i < end; i++) {
      const range = ranges[i]!;
      const code = input[at] === GOOD_CODE ? 0 : input[at]!;
      if (range.note(code)) range.tell(this.refusals, code === 0 ? null : wordsOf(code));
      if (range.code === 0) {
        range.decode(input, at + 4, into, seq);
        at += itemBytes(range.count);
      } else {
        spoil(range, into, seq);
        at += 4;
      }
    }
    return ANSWERED;
  }

  endRead(request: Request): void {
    (request as S7Request).end();
  }

  putReadRaw(tag: DriverTag, out: Uint8Array): number {
    const { area, db, from, bytes } = this.#field(tag).address;
    this.#one = [{ area, db, from, count: bytes, bit: -1 }];
    return putRead(out, this.#nextReference(), this.#one, 0, 1);
  }

  takeRaw(tag: DriverTag, input: Uint8Array, n: number, raw: Uint8Array): number {
    const head = this.#head(input, n);
    if (head !== ANSWERED) return head;
    const { address: { bytes, bit } } = this.#field(tag);
    const at = itemsAt(input, 1);
    if (at === 0 || at + 4 > n) return DAMAGED;
    if (input[at] !== GOOD_CODE) return this.#refusal(tag, input[at]!);
    if (dataBytes(input, at) !== bytes || at + 4 + bytes !== n) return DAMAGED;
    const field = this.#field(tag);
    if (field.address.isString) {
      if (field.takeString(input, at + 4, raw)) return ANSWERED;
      this.trouble = `${tag.at}: the STRING of the PLC has room for ${input[at + 4]} and ` +
        `${input[at + 5]} characters in it, which is no ${tag.type}`;
      return PAST_THE_END;
    }
    raw.set(input.subarray(at + 4, at + 4 + bytes));
    if (bit >= 0) raw[0] = (raw[0]! >> bit) & 1;
    return ANSWERED;
  }

  putWrite(tag: DriverTag, raw: Uint8Array, out: Uint8Array): number {
    const { address: { area, db, from, bytes, bit, isString }, rawBytes } = this.#field(tag);
    assert(raw.length === rawBytes, `write of ${tag.id}`);
    if (isString) {
      // Behind its room, which stays: the length and so many characters.
      const count = 1 + raw[0]!;
      const place = { area, db, from: from + 1, count, bit: -1 };
      return putWrite(out, this.#nextReference(), place, raw.subarray(0, count));
    }
    return putWrite(out, this.#nextReference(), { area, db, from, count: bytes, bit }, raw);
  }

  takeWrite(tag: DriverTag, input: Uint8Array, n: number): number {
    const head = this.#head(input, n);
    if (head !== ANSWERED) return head;
    const code = writeCode(input, n);
    if (code < 0) return DAMAGED;
    return code === GOOD_CODE ? ANSWERED : this.#refusal(tag, code);
  }

  /** What all answers have: ours, whole, and not refused as a whole. */
  #head(input: Uint8Array, n: number): number {
    if (!isAnswer(input, n)) return DAMAGED;
    if (referenceOf(input) !== this.#reference) return STRAY;
    const error = errorOf(input);
    if (error !== 0) this.trouble = wordsOf(error);
    return error;
  }

  #refusal(tag: DriverTag, code: number): number {
    this.trouble = `${tag.at}: ${wordsOf(code)}`;
    return code === 0 ? DAMAGED : code;
  }

  #field(tag: DriverTag): Field {
    let field = this.#fields.get(tag);
    if (field === undefined) this.#fields.set(tag, (field = new Field(tag)));
    return field;
  }

  #nextReference(): number {
    this.#reference = (this.#reference + 1) & 0xffff;
    return this.#reference;
  }
}

/** The answer's items are as many and as long as was asked for, and nothing is left over. */
function isWhole(
  input: Uint8Array, from: number, n: number,
  ranges: readonly ByteRange[], first: number, end: number,
): boolean {
  let at = from;
  for (let i = first; i < end; i++) {
    if (at + 4 > n) return false;
    const { count } = ranges[i]!;
    if (input[at] !== GOOD_CODE) {
      // Code 0 is none that a device gives: it would be taken for good.
      if (input[at] === 0 || get16(input, at + 2) !== 0 && input[at + 1] !== 0) return false;
      at += 4;
      continue;
    }
    if (dataBytes(input, at) !== count) return false;
    // The last one need not be filled up.
    at += i === end - 1 && at + 4 + count === n ? 4 + count : itemBytes(count);
  }
  return at === n;
}

function spoil(range: ByteRange, into: Ring, seq: number): void {
  const state = isAddress(range.code) ? BAD.address : BAD.exception;
  for (let i = 0; i < range.fields.length; i++) {
    spoilCell(into, range.fields[i]!.tag.column, seq, state);
  }
}
