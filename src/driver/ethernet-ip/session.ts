import { assert } from "../../base.ts";
import type { DriverTag, Request } from "../../driver.ts";
import { BAD, spoilCell, type Ring } from "../../ring.ts";
import { ANSWERED, DAMAGED, STRAY, type Protocol } from "../wire/stream-session.ts";
import { charactersOf, putCharacters, textRoom } from "../wire/text.ts";
import {
  Answer, answerAt, bytesOfType, contextOf, data_at, encapsulationStatus, frame_bytes_max,
  frameBytes, get16, isData, isRegister, isSeveral, limitRoute, message_bytes_max, PART_REFUSED,
  putOffset, putRegister, putRoute, putSeveral, putWrite, READ, readRequest, routed_at, sealData,
  sessionOf, SEVERAL, STRUCT, typeName, WRITE,
} from "./cip.ts";
import { Field, usualType } from "./codec.ts";
import type { CipRequest, ElementRange } from "./plan.ts";
import type { EthernetIpLink } from "./settings.ts";
import { isText, textAt, textBytes, typeBytes } from "./text.ts";
import { FRAME_REFUSED, isAddress, OTHER_TYPE, wordsOf } from "./words.ts";

const type_bytes = 2;
/** Encapsulation status of a device that has all the sessions that it can. */
const NO_MEMORY = 2;

/** What EtherNet/IP says of its frames; the exchange is `StreamSession`'s. */
export class EthernetIpProtocol implements Protocol {
  readonly frame_bytes_max = frame_bytes_max;
  readonly greetings = 1;
  readonly frameBytes = frameBytes;
  readonly isAddress = isAddress;
  trouble = "";
  readonly refusals = new Map<DriverTag, string>();
  readonly silence: string;
  readonly #slot: number | null;
  /** Where messages stand in a frame. */
  readonly #at: number;
  readonly #fields = new Map<DriverTag, Field>();
  readonly #answer = new Answer();
  #session = 0;
  #context = 0;

  constructor({ slot, port }: EthernetIpLink) {
    this.silence = `is ${port} the port of EtherNet/IP, and not another protocol's?`;
    this.#slot = slot === "none" ? null : slot;
    this.#at = slot === "none" ? data_at : routed_at;
  }

  putGreeting(_step: number, out: Uint8Array): number {
    return putRegister(out, 0, this.#nextContext());
  }

  greeted(_step: number, input: Uint8Array): string | null {
    if (!isRegister(input)) return "what came is not this protocol: is it the right port?";
    const status = encapsulationStatus(input);
    if (status === NO_MEMORY) {
      return "the device has no memory for another session: close other clients (status 2)";
    }
    if (status !== 0) return `the device refuses the session (status ${status})`;
    this.#session = sessionOf(input);
    return null;
  }

  partsOf(request: Request): number {
    return (request as CipRequest).starts(message_bytes_max).length - 1;
  }

  putRead(request: Request, part: number, out: Uint8Array): number {
    const { ranges } = request as CipRequest;
    const starts = (request as CipRequest).starts(message_bytes_max);
    const first = starts[part]!;
    const count = starts[part + 1]! - first;
    let n = count === 1 ? 0 : putSeveral(out, this.#at, count);
    for (let i = 0; i < count; i++) {
      const { request: bytes } = ranges[first + i]!;
      if (count > 1) putOffset(out, this.#at, i, n);
      out.set(bytes, this.#at + n);
      n += bytes.length;
    }
    return this.#seal(out, n);
  }

  takeRead(
    request: Request, part: number, input: Uint8Array, n: number, into: Ring, seq: number,
  ): number {
    const { ranges } = request as CipRequest;
    const starts = (request as CipRequest).starts(message_bytes_max);
    const first = starts[part]!;
    const end = starts[part + 1]!;
    const isOne = end - first === 1;
    const head = this.#head(input, n, isOne ? READ : SEVERAL);
    if (head === DAMAGED || head === STRAY) return head;
    // Without a way to the slot no tag is to blame.
    const isOnTheWay = head > 0 && head < FRAME_REFUSED && this.#answer.isRouting;
    if (isOne && !isOnTheWay) return this.#takeOne(ranges[first]!, head, input, into, seq);
    if (head !== ANSWERED && head !== PART_REFUSED) return this.#refusal("", head);
    const { from, end: stop } = this.#answer;
    if (!isSeveral(input, from, stop, end - first)) return DAMAGED;
    for (let i = first; i < end; i++) {
      if (!this.#find(input, from, stop, i - first)) return DAMAGED;
      if (this.#answer.status === 0 && !isWhole(ranges[i]!, input, this.#answer)) return DAMAGED;
    }
    for (let i = first; i < end; i++) {
      this.#find(input, from, stop, i - first);
      this.#put(ranges[i]!, this.#answer.status, input, into, seq);
    }
    return ANSWERED;
  }

  endRead(request: Request): void {
    (request as CipRequest).end();
  }

  putReadRaw(tag: DriverTag, out: Uint8Array): number {
    const { path, index } = this.#field(tag).address;
    const bytes = readRequest(path, index, 1);
    out.set(bytes, this.#at);
    return this.#seal(out, bytes.length);
  }

  takeRaw(tag: DriverTag, input: Uint8Array, n: number, raw: Uint8Array): number {
    const head = this.#head(input, n, READ);
    if (head === DAMAGED || head === STRAY) return head;
    if (head !== ANSWERED) return this.#refusal(tag.at, head);
    const field = this.#field(tag);
    const { from, end } = this.#answer;
    if (from + type_bytes > end) return DAMAGED;
    field.type = get16(input, from);
    if (!field.fitsType(field.type)) return this.#otherType(tag.at, field.type);
    if (field.number === null) {
      return this.#takeText(field, input, from, end, raw);
    }
    const size = bytesOfType(field.type);
    if (from + type_bytes + size > end) return DAMAGED;
    const { bit } = field.address;
    if (bit >= 0) raw[0] = (input[from + type_bytes + field.byte]! >> (bit & 7)) & 1;
    else raw.set(input.subarray(from + type_bytes, from + type_bytes + raw.length));
    return ANSWERED;
  }

  #takeText(
    { tag, type }: Field, input: Uint8Array, from: number, end: number, raw: Uint8Array,
  ): number {
    if (!isText(input, from)) {
      this.trouble = `${tag.at}: a structure that is not the controller's own STRING is only ` +
        "read: what else is in it, nobody can tell";
      return OTHER_TYPE;
    }
    const text = textAt(type, input, from + typeBytes(type).length, end);
    if (text === null) return DAMAGED;
    if (textRoom(tag.type) <= text.room && putCharacters(raw, input, text.from, text.to)) {
      return ANSWERED;
    }
    this.trouble = `${tag.at}: the STRING has ${text.to - text.from} of at most ${text.room} ` +
      `characters, which is no ${tag.type}`;
    return OTHER_TYPE;
  }

  putWrite(tag: DriverTag, raw: Uint8Array, out: Uint8Array): number {
    const { address: { path, index, bit }, type } = this.#field(tag);
    assert(bit < 0, `write of ${tag.id}`);
    const named = type === 0 ? usualType(tag) : type;
    return this.#seal(out, putWrite(out, this.#at, path, index, typeBytes(named),
      textRoom(tag.type) === 0 ? raw : textBytes(named, charactersOf(raw))));
  }

  limitWrite(out: Uint8Array, within_ms: number): boolean {
    return this.#slot === null || limitRoute(out, within_ms);
  }

  takeWrite(tag: DriverTag, input: Uint8Array, n: number): number {
    const head = this.#head(input, n, WRITE);
    return head > 0 ? this.#refusal(tag.at, head) : head;
  }

  #takeOne(
    range: ElementRange, status: number, input: Uint8Array, into: Ring, seq: number,
  ): number {
    if (status === 0 && !isWhole(range, input, this.#answer)) return DAMAGED;
    this.#put(range, status, input, into, seq);
    return ANSWERED;
  }

  /** One range's answer into the cells: it was looked at before. */
  #put(
    range: ElementRange, status: number, input: Uint8Array, into: Ring, seq: number,
  ): void {
    const { from, end } = this.#answer;
    const type = status === 0 ? get16(input, from) : 0;
    const code = status !== 0 ? status : range.fields[0]!.fitsType(type) ? 0 : OTHER_TYPE;
    if (range.note(code)) {
      range.tell(this.refusals, code === 0 ? null
        : code === OTHER_TYPE ? otherType(type) : wordsOf(code));
    }
    const { fields } = range;
    const state = isAddress(code) ? BAD.address : BAD.exception;
    const size = range.count === 1 ? end - from - type_bytes : bytesOfType(type);
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!;
      if (code !== 0) {
        spoilCell(into, field.tag.column, seq, state);
        continue;
      }
      const place = range.from < 0 ? 0 : field.address.index - range.from;
      field.decodeCell(type, input, from + type_bytes + place * size, size, into, seq);
    }
  }

  #otherType(name: string, type: number): number {
    this.trouble = `${name}: ${otherType(type)}`;
    return OTHER_TYPE;
  }

  #refusal(name: string, code: number): number {
    this.trouble = `${name}${name === "" ? "" : ": "}${wordsOf(code)}`;
    return code;
  }

  #find(input: Uint8Array, from: number, end: number, i: number): boolean {
    return this.#answer.read(input, answerAt(input, from, end, i),
      answerAt(input, from, end, i + 1), READ);
  }

  /** What all answers have: ours, whole; a positive number is the status of a refusal. */
  #head(input: Uint8Array, n: number, service: number): number {
    if (contextOf(input) !== this.#context) return STRAY;
    const status = encapsulationStatus(input);
    if (status !== 0) return FRAME_REFUSED + status;
    if (!isData(input, n)) return DAMAGED;
    return this.#answer.read(input, data_at, n, service) ? this.#answer.status : DAMAGED;
  }

  #seal(out: Uint8Array, n: number): number {
    const all = this.#slot === null ? n : putRoute(out, n, this.#slot);
    return sealData(out, all, this.#session, this.#nextContext());
  }

  #field(tag: DriverTag): Field {
    let field = this.#fields.get(tag);
    if (field === undefined) this.#fields.set(tag, (field = new Field(tag)));
    return field;
  }

  #nextContext(): number {
    this.#context = (this.#context + 1) >>> 0;
    return this.#context;
  }
}

const otherType = (type: number): string =>
  `in the controller it is ${typeName(type)}, which is not this tag's "type"`;

/** The answer has a type and as many bytes as its elements; one may be there to fill up. */
function isWhole(range: ElementRange, input: Uint8Array, { from, end }: Answer): boolean {
  if (from + type_bytes > end) return false;
  const type = get16(input, from);
  const size = bytesOfType(type);
  const n = end - from - type_bytes;
  if (size > 0) return n === size * range.count || n === size * range.count + 1;
  return range.count === 1 && (type !== STRUCT || n >= 2);
}
