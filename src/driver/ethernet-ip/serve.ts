import { Fault, textOfBytes } from "../../base.ts";
import type { DriverTag, ServeHost, Server } from "../../driver.ts";
import { slotOf, type Written } from "../../ring.ts";
import { StreamServer } from "../wire/stream-server.ts";
import {
  bytesOfType, contextOf, data_at, DWORD, frame_bytes_max, frameBytes, get16, isData, isRegister,
  message_bytes_max, PART_REFUSED, put16, putAnswer, putRegister, READ, requestAt, sealData,
  SEVERAL, STRING, STRUCT, typesOf, WRITE,
} from "./cip.ts";
import { Field } from "./codec.ts";
import { readPath, type SpelledPath } from "./path.ts";
import { textAt, textBytes, textType, typeBytes } from "./text.ts";
import { OTHER_TYPE } from "./words.ts";

const NO_TAG = 0x04, NOT_KNOWN = 0x08, NOT_SETTABLE = 0x0e, TOO_LONG = 0x11, TOO_FEW = 0x13;
/** Status FF with one word behind it. */
const EXTENDED = 0xff;
const PAST_THE_END = 0x2105;
/** The type that a word has of which bits alone are configured. */
const DINT = 0xc4;
const our_session = 1;

/** A tag of the controller: the configured tags in it, by their place. */
interface Element {
  /** One whole value, or bits of one word. */
  readonly fields: Field[];
}

interface Symbol {
  readonly elements: Map<number, Element>;
  /** Past the last configured element. */
  count: number;
}

/** Answers requests from the values of tags. Between configured elements others read 0. */
class Controller {
  readonly #host: ServeHost;
  readonly #symbols = new Map<string, Symbol>();

  constructor(tags: readonly DriverTag[], host: ServeHost) {
    this.#host = host;
    for (const field of tags.flatMap((tag) => new Field(tag).items)) {
      // A bit of an element: the element is what is read.
      const [, array, at] = /^(.*)\[(\d+)\]$/.exec(field.address.base) ?? [];
      const base = array ?? field.address.base;
      const index = Math.max(0, at === undefined ? field.address.index : Number(at));
      let symbol = this.#symbols.get(base);
      if (symbol === undefined) {
        this.#symbols.set(base, (symbol = { elements: new Map(), count: 0 }));
      }
      const element = symbol.elements.get(index) ?? { fields: [] };
      element.fields.push(field);
      symbol.elements.set(index, element);
      symbol.count = Math.max(symbol.count, index + 1);
    }
  }

  /** The answer to the request `input[at…end)`, put at `out[to…]`; its bytes. */
  answer(input: Uint8Array, at: number, end: number, out: Uint8Array, to: number): number {
    const service = input[at]!;
    if (at + 2 > end || at + 2 + input[at + 1]! * 2 > end) {
      return putAnswer(out, to, service, TOO_FEW);
    }
    const data = at + 2 + input[at + 1]! * 2;
    if (service === SEVERAL) return this.#several(input, data, end, out, to);
    if (service !== READ && service !== WRITE) return putAnswer(out, to, service, NOT_KNOWN);
    const path = readPath(input, at + 2, data);
    const symbol = path === null ? undefined : this.#symbols.get(path.base);
    if (path === null || symbol === undefined) return putAnswer(out, to, service, NO_TAG);
    return service === READ ? this.#read(symbol, path, input, data, end, out, to)
      : this.#write(symbol, path, input, data, end, out, to);
  }

  #several(
    input: Uint8Array, at: number, end: number, out: Uint8Array, to: number,
  ): number {
    const count = at + 2 > end ? 0 : get16(input, at);
    if (count < 1 || at + 2 + 2 * count > end) return putAnswer(out, to, SEVERAL, TOO_FEW);
    const list = to + 4;
    let n = 2 + 2 * count;
    let status = 0;
    put16(out, list, count);
    for (let i = 0; i < count; i++) {
      const from = at + get16(input, at + 2 + 2 * i);
      const stop = i === count - 1 ? end : at + get16(input, at + 4 + 2 * i);
      put16(out, list + 2 + 2 * i, n);
      const isOne = from >= at && from < stop && stop <= end && input[from] !== SEVERAL;
      const length = isOne ? this.answer(input, from, stop, out, list + n)
        : putAnswer(out, list + n, READ, TOO_FEW);
      if (out[list + n + 2] !== 0) status = PART_REFUSED;
      n += length;
      if (n > message_bytes_max) return putAnswer(out, to, SEVERAL, TOO_LONG);
    }
    putAnswer(out, to, SEVERAL, status);
    return 4 + n;
  }

  #read(
    symbol: Symbol, path: SpelledPath, input: Uint8Array, data: number, end: number,
    out: Uint8Array, to: number,
  ): number {
    if (data + 2 > end) return putAnswer(out, to, READ, TOO_FEW);
    const count = get16(input, data);
    const first = Math.max(0, path.index);
    if (count < 1 || first + count > symbol.count) return putExtended(out, to, READ, PAST_THE_END);
    const type = typeOf(symbol);
    const named = typeBytes(type);
    let at = to + 4 + named.length;
    for (let i = 0; i < count; i++) {
      const bytes = this.#bytesOf(symbol.elements.get(first + i), type);
      if (at - to + bytes.length > message_bytes_max) return putAnswer(out, to, READ, TOO_LONG);
      out.set(bytes, at);
      at += bytes.length;
    }
    putAnswer(out, to, READ, 0);
    out.set(named, to + 4);
    return at - to;
  }

  #write(
    symbol: Symbol, path: SpelledPath, input: Uint8Array, data: number, end: number,
    out: Uint8Array, to: number,
  ): number {
    const type = typeOf(symbol);
    const named = typeBytes(type);
    const from = data + named.length + 2;
    if (from + bytesOfType(type) > end) return putAnswer(out, to, WRITE, TOO_FEW);
    const element = symbol.elements.get(Math.max(0, path.index));
    if (element === undefined) return putExtended(out, to, WRITE, PAST_THE_END);
    if (named.some((byte, i) => input[data + i] !== byte)) {
      return putExtended(out, to, WRITE, OTHER_TYPE);
    }
    const field = element.fields[0]!;
    const isOne = get16(input, from - 2) === 1 && field.address.bit < 0;
    const value = isOne ? valueAt(field, type, input, from, end) : null;
    const isDone = value !== null && this.#host.written(field.tag, value);
    return putAnswer(out, to, WRITE, isDone ? 0 : NOT_SETTABLE);
  }

  /** The bytes of an element now; one that is not configured, or has no value, reads 0. */
  #bytesOf(element: Element | undefined, type: number): Uint8Array {
    if (type === STRING || type === STRUCT) {
      const field = element?.fields[0];
      const value = field === undefined ? null : this.#host.value(field.tag);
      const text = new TextEncoder().encode(String(value ?? ""));
      return textBytes(type, text.subarray(0, field === undefined ? 0 : slotOf(field.tag.type)));
    }
    const out = new Uint8Array(bytesOfType(type));
    for (const field of element?.fields ?? []) {
      const value = this.#host.value(field.tag);
      if (value === null) continue;
      if (field.address.bit < 0) out.set(bytesNow(field, Number(value)));
      else out[field.byte] = out[field.byte]! | (Number(value !== 0) << (field.address.bit & 7));
    }
    return out;
  }
}

/** What a write means; null = it is no value of this tag. */
function valueAt(
  { number, tag }: Field, type: number, input: Uint8Array, from: number, end: number,
): Written | null {
  if (number !== null) return number.decode(input, from);
  const text = textAt(type, input, from, end);
  return text === null || text.to - text.from > slotOf(tag.type) ? null
    : textOfBytes(input.subarray(text.from, text.to));
}

function bytesNow({ number }: Field, value: number): Uint8Array {
  try {
    return number!.encode(value).bytes;
  } catch (thrown) {
    // A value that the bytes cannot hold is trouble of the simulated device.
    if (thrown instanceof Fault) return new Uint8Array(0);
    throw thrown;
  }
}

/** The controller's type of what the configured tags are. */
function typeOf({ elements }: Symbol): number {
  const fields = [...elements.values()].flatMap((element) => element.fields);
  const whole = fields.find(({ address, number }) => address.bit < 0 && number !== null);
  if (whole !== undefined) return typesOf(whole.tag.type)[0]!;
  const [{ number, tag: { type } }] = fields as [Field];
  if (number === null) return textType(slotOf(type));
  return fields[0]!.address.index < 0 ? DINT : DWORD;
}

function putExtended(out: Uint8Array, to: number, service: number, more: number): number {
  putAnswer(out, to, service, EXTENDED);
  out[to + 3] = 1;
  put16(out, to + 4, more);
  return 6;
}

class EthernetIpServer extends StreamServer {
  readonly #controller: Controller;

  constructor(controller: Controller) {
    super(2 * frame_bytes_max, 2 * frame_bytes_max);
    this.#controller = controller;
  }

  protected frameBytes(n: number): number {
    return frameBytes(this.input, n);
  }

  protected isRequest(n: number): boolean {
    if (isRegister(this.input)) return true;
    if (!isData(this.input, n)) return false;
    const [at, end] = requestAt(this.input, data_at, n);
    return at < end;
  }

  protected answer(n: number): number {
    const { input, out } = this;
    const context = contextOf(input);
    if (isRegister(input)) return putRegister(out, our_session, context);
    const [at, end] = requestAt(input, data_at, n);
    return sealData(out, this.#controller.answer(input, at, end, out, data_at), our_session,
      context);
  }
}

/** Each connection has its own; the values are the host's. */
export function ethernetIpServer(tags: readonly DriverTag[], host: ServeHost): Server {
  return new EthernetIpServer(new Controller(tags, host));
}
