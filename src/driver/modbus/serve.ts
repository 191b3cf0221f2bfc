import { Fault } from "../../base.ts";
import type { DriverTag, ServeEvents, ServeHost, Server } from "../../driver.ts";
import { StreamServer } from "../wire/stream-server.ts";
import { isBits, slotOf, type Area } from "./address.ts";
import { COLON, putText, soundLrc, text_bytes_max, TextReader } from "./ascii.ts";
import { decodeValue, encodeInto, Field } from "./codec.ts";
import type { LineSettings } from "./line.ts";
import { adu_bytes_max, header_bytes, soundHeader } from "./mbap.ts";
import {
  DEVICE_FAILURE, get16, ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, ILLEGAL_VALUE, MASK_WRITE,
  pdu_bytes_max, put16, READ_COILS, READ_DISCRETES, READ_HOLDINGS, READ_INPUTS, READ_WRITE, REFUSED,
  WRITE_COIL, WRITE_COILS, WRITE_REGISTER, WRITE_REGISTERS,
} from "./pdu.ts";
import { frame_bytes_max, putCrc, silence_ms, soundCrc } from "./rtu.ts";

/** A gateway's answer for a station that it does not have (7, code 0B). */
const STATION_SILENT = 11;
/** Most registers, or bits, of FC16 and FC15 (6.12, 6.11). */
const write_registers_max = 123;
const write_bits_max = 1968;
/** Most registers that FC23 writes (6.17). */
const read_write_registers_max = 121;
const read_registers_max = 125;
const read_bits_max = 2000;
/** Broken frames end by this silence at least: a pty's other side may be held up. */
const broken_ms_min = 50;

/** One table of one station: the configured tags and the range they span. */
interface Table {
  readonly fields: Field[];
  from: number;
  to: number;
}

/** Answers PDUs from the values of tags. Between configured tags registers read 0. */
class Device {
  readonly #host: ServeHost;
  readonly #stations = new Map<number, Map<Area, Table>>();

  constructor(tags: readonly DriverTag[], host: ServeHost) {
    this.#host = host;
    for (const tag of tags) this.#add(new Field(tag));
    // Single bits come after the registers that they are part of.
    for (const tables of this.#stations.values()) {
      for (const table of tables.values()) {
        table.fields.sort((a, b) => a.address.bit - b.address.bit);
      }
    }
  }

  has(station: number): boolean {
    return this.#stations.has(station);
  }

  /** The answer to the PDU `input[at…at+n)`, put at `out[to…]`; its length. */
  answer(
    station: number, input: Uint8Array, at: number, n: number, out: Uint8Array, to: number,
  ): number {
    const code = input[at]!;
    const length = this.#serve(station, code, input, at, n, out, to);
    if (length > 0) return length;
    out[to] = code | REFUSED;
    out[to + 1] = -length;
    return 2;
  }

  #add(field: Field): void {
    const { tag: { station }, address: { area, from, count } } = field;
    let tables = this.#stations.get(station);
    if (tables === undefined) this.#stations.set(station, (tables = new Map()));
    let table = tables.get(area);
    if (table === undefined) tables.set(area, (table = { fields: [], from, to: from }));
    table.fields.push(field);
    table.from = Math.min(table.from, from);
    table.to = Math.max(table.to, from + count);
  }

  /** Length of the answer, or the exception code negated. */
  #serve(
    station: number, code: number, input: Uint8Array, at: number, n: number,
    out: Uint8Array, to: number,
  ): number {
    if (n < 5) return -(isKnown(code) ? ILLEGAL_VALUE : ILLEGAL_FUNCTION);
    const from = get16(input, at + 1);
    const count = get16(input, at + 3);
    switch (code) {
      case READ_COILS: return this.#read(station, "coil", from, count, out, to, code);
      case READ_DISCRETES: return this.#read(station, "discrete", from, count, out, to, code);
      case READ_INPUTS: return this.#read(station, "input", from, count, out, to, code);
      case READ_HOLDINGS: return this.#read(station, "holding", from, count, out, to, code);
      case WRITE_COIL:
        if (count !== 0 && count !== 0xff00) return -ILLEGAL_VALUE;
        return this.#write(station, "coil", from, 1, Uint8Array.of(count === 0 ? 0 : 1), 0) ||
          echo(input, at, out, to);
      case WRITE_REGISTER:
        return this.#write(station, "holding", from, 1, input, at + 3) || echo(input, at, out, to);
      case WRITE_COILS: {
        const bytes = Math.ceil(count / 8);
        if (!counted(input, at, n, count, write_bits_max, bytes)) return -ILLEGAL_VALUE;
        const bits = Uint8Array.from({ length: count }, (_, i) =>
          (input[at + 6 + (i >> 3)]! >> (i & 7)) & 1);
        return this.#write(station, "coil", from, count, bits, 0) || echo(input, at, out, to);
      }
      case WRITE_REGISTERS:
        if (!counted(input, at, n, count, write_registers_max, count * 2)) return -ILLEGAL_VALUE;
        return this.#write(station, "holding", from, count, input, at + 6) ||
          echo(input, at, out, to);
      case MASK_WRITE:
        if (n !== 7) return -ILLEGAL_VALUE;
        return this.#mask(station, from, input, at + 3) || echo(input, at, out, to, 7);
      case READ_WRITE: return this.#readWrite(station, input, at, n, out, to);
      default: return -ILLEGAL_FUNCTION;
    }
  }

  /** A register becomes (it and `and`) or (`or` and not `and`); tags of other bits stay. */
  #mask(station: number, register: number, input: Uint8Array, at: number): number {
    const table = this.#table(station, "holding", register, 1);
    if (table === null) return -ILLEGAL_ADDRESS;
    const one = new Uint8Array(256);
    for (const field of table.fields) {
      const { from, count, bit } = field.address;
      const place = (register - from) * 2;
      if (place < 0 || place >= count * 2) continue;
      if (bit >= 0 && (get16(input, at) >> bit & 1) === 1) continue;
      if (slotOf(field.tag.type) > 0) return -ILLEGAL_ADDRESS;
      if (!this.#put(field, one)) return -DEVICE_FAILURE;
      for (const i of [0, 1].filter((byte) => place + byte < field.bytes)) {
        const [and, or] = [input[at + i]!, input[at + 2 + i]!];
        one[place + i] = (one[place + i]! & and) | (or & ~and);
      }
      if (!this.#host.written(field.tag, decodeValue(field, one))) return -ILLEGAL_VALUE;
    }
    return 0;
  }

  /** Writes first, then reads (6.17). */
  #readWrite(
    station: number, input: Uint8Array, at: number, n: number, out: Uint8Array, to: number,
  ): number {
    if (n < 10) return -ILLEGAL_VALUE;
    const [from, count, first, words] = [1, 3, 5, 7].map((i) => get16(input, at + i)) as
      [number, number, number, number];
    const sound = words >= 1 && words <= read_write_registers_max && input[at + 9] === words * 2;
    if (!sound || n !== 10 + words * 2) return -ILLEGAL_VALUE;
    return this.#write(station, "holding", first, words, input, at + 10) ||
      this.#read(station, "holding", from, count, out, to, READ_WRITE);
  }

  #read(
    station: number, area: Area, from: number, count: number,
    out: Uint8Array, to: number, code: number,
  ): number {
    const bits = isBits(area);
    if (count < 1 || count > (bits ? read_bits_max : read_registers_max)) return -ILLEGAL_VALUE;
    const table = this.#table(station, area, from, count);
    if (table === null) return -ILLEGAL_ADDRESS;
    const bytes = bits ? Math.ceil(count / 8) : count * 2;
    out[to] = code;
    out[to + 1] = bytes;
    out.fill(0, to + 2, to + 2 + bytes);
    const one = new Uint8Array(256);
    for (const field of table.fields) {
      const place = field.address.from - from;
      if (place >= count || place + field.address.count <= 0) continue;
      // The field's registers as they are so far, because a bit changes only itself.
      const spot = to + 2 + place * 2;
      if (!bits && field.address.bit >= 0) one.set(out.subarray(spot, spot + 2));
      if (!this.#put(field, one)) return -DEVICE_FAILURE;
      if (bits) {
        out[to + 2 + (place >> 3)]! |= one[0]! << (place & 7);
        continue;
      }
      for (let i = 0; i < field.bytes; i++) {
        const byte = place * 2 + i;
        if (byte >= 0 && byte < bytes) out[to + 2 + byte] = one[i]!;
      }
    }
    return 2 + bytes;
  }

  /** The wire bytes of a tag's value now. False = the device has none. */
  #put(field: Field, into: Uint8Array): boolean {
    const value = this.#host.value(field.tag);
    if (value === null) return false;
    if (slotOf(field.tag.type) > 0) {
      // The plant knows numbers only: a text shows its number.
      into.fill(0, 0, field.bytes);
      const text = new TextEncoder().encode(String(value));
      const { order } = field.form;
      for (let i = 0; i < order.length; i++) into[order[i]!] = text[i] ?? 0;
      return true;
    }
    try {
      encodeInto(field, value, into, 0);
      return true;
    } catch (thrown) {
      // A value that the registers cannot hold is trouble of the simulated device.
      if (thrown instanceof Fault) return false;
      throw thrown;
    }
  }

  /** 0 = written, or the exception code negated. `data[at…]`: registers, or one byte a bit. */
  #write(
    station: number, area: Area, from: number, count: number, data: Uint8Array, at: number,
  ): number {
    const table = this.#table(station, area, from, count);
    if (table === null) return -ILLEGAL_ADDRESS;
    const width = isBits(area) ? 1 : 2;
    const one = new Uint8Array(256);
    for (const field of table.fields) {
      const place = (field.address.from - from) * width;
      if (place >= count * width || place + field.bytes <= 0) continue;
      if (slotOf(field.tag.type) > 0) return -ILLEGAL_ADDRESS;
      // Registers of the tag that are not written keep what they have.
      if (!this.#put(field, one)) return -DEVICE_FAILURE;
      for (let i = 0; i < field.bytes; i++) {
        const byte = place + i;
        if (byte >= 0 && byte < count * width) one[i] = data[at + byte]!;
      }
      if (!this.#host.written(field.tag, decodeValue(field, one))) return -ILLEGAL_VALUE;
    }
    return 0;
  }

  #table(station: number, area: Area, from: number, count: number): Table | null {
    const table = this.#stations.get(station)?.get(area);
    if (table === undefined || from < table.from || from + count > table.to) return null;
    return table;
  }
}

const known = [READ_COILS, READ_DISCRETES, READ_HOLDINGS, READ_INPUTS, WRITE_COIL, WRITE_REGISTER,
  WRITE_COILS, WRITE_REGISTERS, MASK_WRITE, READ_WRITE];
const isKnown = (code: number): boolean => known.includes(code);

/** True if count, byte count and length of an FC15 or FC16 agree. */
function counted(
  input: Uint8Array, at: number, n: number, count: number, most: number, bytes: number,
): boolean {
  return count >= 1 && count <= most && n === 6 + bytes && input[at + 5] === bytes;
}

/** Writes are answered by what they begin with. */
function echo(input: Uint8Array, at: number, out: Uint8Array, to: number, bytes = 5): number {
  for (let i = 0; i < bytes; i++) out[to + i] = input[at + i]!;
  return bytes;
}

class TcpServer extends StreamServer {
  readonly #device: Device;

  constructor(device: Device) {
    super(2 * adu_bytes_max, adu_bytes_max);
    this.#device = device;
  }

  protected frameBytes(n: number): number {
    if (!soundHeader(this.input, n)) return -1;
    return n < 6 ? 0 : 6 + get16(this.input, 4);
  }

  /** Whatever it asks is answered, if need be by an exception. */
  protected isRequest(): boolean {
    return true;
  }

  protected answer(n: number): number {
    const [input, out, at] = [this.input, this.out, header_bytes];
    const station = input[6]!;
    let length = 2;
    if (this.#device.has(station)) {
      length = this.#device.answer(station, input, at, n - at, out, at);
    } else {
      out[at] = input[at]! | REFUSED;
      out[at + 1] = STATION_SILENT;
    }
    put16(out, 0, get16(input, 0));
    put16(out, 2, 0);
    put16(out, 4, 1 + length);
    out[6] = station;
    return at + length;
  }
}

class RtuServer implements Server {
  readonly #device: Device;
  readonly #broken_ms: number;
  readonly #input = new Uint8Array(2 * frame_bytes_max);
  readonly #out = new Uint8Array(frame_bytes_max);
  #filled = 0;
  #last = 0;
  /** The bytes in front are no frame: everything up to the next silence is thrown away. */
  #broken = false;

  constructor(device: Device, line: LineSettings | null) {
    this.#device = device;
    this.#broken_ms = Math.max(broken_ms_min, line === null ? 0 : silence_ms(line));
  }

  receive(bytes: Uint8Array, n: number, now: number, on: ServeEvents): void {
    this.step(now, on);
    this.#last = now;
    for (let at = 0; at < n;) {
      const stop = Math.min(n, at + this.#input.length - this.#filled);
      while (at < stop) this.#input[this.#filled++] = bytes[at++]!;
      while (!this.#broken && this.#next(on));
      if (this.#filled === this.#input.length) this.#flush(on);
    }
  }

  step(now: number, on: ServeEvents): number {
    if (this.#filled === 0) return Infinity;
    if (now - this.#last < this.#broken_ms) return this.#last + this.#broken_ms;
    this.#flush(on);
    return Infinity;
  }

  /** Silence: what stands here is a frame of a function we do not know, or none. */
  #flush(on: ServeEvents): void {
    const n = this.#filled;
    const sound = n >= 4 && n <= frame_bytes_max && soundCrc(this.#input, 0, n);
    on.frame(this.#input, n, sound);
    if (sound) this.#reply(n, on);
    this.#filled = 0;
    this.#broken = false;
  }

  #next(on: ServeEvents): boolean {
    const n = requestBytes(this.#input, this.#filled);
    if (n === 0 || this.#filled < n) return false;
    if (!soundCrc(this.#input, 0, n)) {
      this.#broken = true;
      return false;
    }
    on.frame(this.#input, n, true);
    this.#reply(n, on);
    this.#input.copyWithin(0, n, this.#filled);
    this.#filled -= n;
    return this.#filled > 0;
  }

  #reply(n: number, on: ServeEvents): void {
    const station = this.#input[0]!;
    if (!this.#device.has(station)) return;
    this.#out[0] = station;
    const length = this.#device.answer(station, this.#input, 1, n - 3, this.#out, 1);
    on.reply(this.#out, putCrc(this.#out, 1 + length));
  }
}

class AsciiServer implements Server {
  readonly #device: Device;
  readonly #reader = new TextReader();
  readonly #answer = new Uint8Array(1 + pdu_bytes_max);
  readonly #text = new Uint8Array(text_bytes_max);
  readonly #out = new Uint8Array(text_bytes_max);
  #filled = 0;

  constructor(device: Device) {
    this.#device = device;
  }

  receive(bytes: Uint8Array, n: number, _now: number, on: ServeEvents): void {
    for (let i = 0; i < n; i++) {
      if (bytes[i] === COLON || this.#filled === this.#text.length) this.#filled = 0;
      this.#text[this.#filled++] = bytes[i]!;
      if (this.#reader.read(bytes[i]!)) this.#request(on);
    }
  }

  step(): number {
    return Infinity;
  }

  #request(on: ServeEvents): void {
    const { bytes, filled } = this.#reader;
    const sound = soundLrc(bytes, filled);
    on.frame(this.#text, this.#filled, sound);
    this.#filled = 0;
    if (!sound || !this.#device.has(bytes[0]!)) return;
    this.#answer[0] = bytes[0]!;
    const length = this.#device.answer(bytes[0]!, bytes, 1, filled - 2, this.#answer, 1);
    on.reply(this.#out, putText(this.#answer, 1 + length, this.#out));
  }
}

/** Length of the request that begins here by its function; 0 = not known (yet). */
function requestBytes(input: Uint8Array, filled: number): number {
  if (filled < 2) return 0;
  const code = input[1]!;
  if (code >= READ_COILS && code <= WRITE_REGISTER) return 8;
  if (code === MASK_WRITE) return 10;
  if (code === READ_WRITE) return filled < 11 ? 0 : Math.min(frame_bytes_max, 13 + input[10]!);
  if (code !== WRITE_COILS && code !== WRITE_REGISTERS) return 0;
  return filled < 7 ? 0 : Math.min(frame_bytes_max, 9 + input[6]!);
}

/** Each connection has its own; the values are the host's. `line` null: bytes come over IP. */
export function createServer(
  framing: "tcp" | "rtu" | "ascii", line: LineSettings | null, tags: readonly DriverTag[],
  host: ServeHost,
): Server {
  const device = new Device(tags, host);
  switch (framing) {
    case "tcp": return new TcpServer(device);
    case "rtu": return new RtuServer(device, line);
    case "ascii": return new AsciiServer(device);
  }
}
