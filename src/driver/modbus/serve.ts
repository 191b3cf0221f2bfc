import type { ServeEvents, Server } from "../../driver.ts";
import type { LineSettings } from "../wire/line.ts";
import { StreamServer } from "../wire/stream-server.ts";
import { answer, type Memory } from "./answer.ts";
import { COLON, putText, soundLrc, text_bytes_max, TextReader } from "./ascii.ts";
import { adu_bytes_max, header_bytes, soundHeader } from "./mbap.ts";
import {
  BROADCAST, get16, MASK_WRITE, pdu_bytes_max, put16, READ_COILS, READ_WRITE, REFUSED, WRITE_COILS,
  WRITE_COIL, WRITE_REGISTER, WRITE_REGISTERS,
} from "./pdu.ts";
import { frame_bytes_max, putCrc, silence_ms, soundCrc } from "./rtu.ts";

/** A gateway's answer for a station that it does not have (7, code 0B). */
const STATION_SILENT = 11;
/** The last number that a station of a bus may have (Modbus over Serial Line, 2.2). */
const stations_max = 247;
/** Broken frames end by this silence at least: a pty's other side may be held up. */
const broken_ms_min = 50;

class TcpServer extends StreamServer {
  readonly #memory: Memory;

  constructor(memory: Memory) {
    super(2 * adu_bytes_max, adu_bytes_max);
    this.#memory = memory;
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
    if (this.#memory.has(station)) {
      length = answer(this.#memory, station, input, at, n - at, out, at);
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
  readonly #memory: Memory;
  readonly #broken_ms: number;
  readonly #input = new Uint8Array(2 * frame_bytes_max);
  readonly #out = new Uint8Array(frame_bytes_max);
  #filled = 0;
  #last = 0;
  /** The bytes in front are no frame: everything up to the next silence is thrown away. */
  #broken = false;

  constructor(memory: Memory, line: LineSettings | null) {
    this.#memory = memory;
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
    if (!this.#memory.has(station)) {
      if (station === BROADCAST) obey(this.#memory, this.#input, n - 3, this.#out);
      return;
    }
    this.#out[0] = station;
    const length = answer(this.#memory, station, this.#input, 1, n - 3, this.#out, 1);
    on.reply(this.#out, putCrc(this.#out, 1 + length));
  }
}

class AsciiServer implements Server {
  readonly #memory: Memory;
  readonly #reader = new TextReader();
  readonly #answer = new Uint8Array(1 + pdu_bytes_max);
  readonly #text = new Uint8Array(text_bytes_max);
  readonly #out = new Uint8Array(text_bytes_max);
  #filled = 0;

  constructor(memory: Memory) {
    this.#memory = memory;
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
    if (!sound) return;
    if (!this.#memory.has(bytes[0]!)) {
      if (bytes[0] === BROADCAST) obey(this.#memory, bytes, filled - 2, this.#answer);
      return;
    }
    this.#answer[0] = bytes[0]!;
    const length = answer(this.#memory, bytes[0]!, bytes, 1, filled - 2, this.#answer, 1);
    on.reply(this.#out, putText(this.#answer, 1 + length, this.#out));
  }
}

const broadcasts: readonly number[] =
  [WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS];

/** Every station does what the PDU `input[1…1 + n)` says, and none answers; `out` is scratch. */
function obey(memory: Memory, input: Uint8Array, n: number, out: Uint8Array): void {
  if (!broadcasts.includes(input[1]!)) return;
  for (let station = 1; station <= stations_max; station++) {
    if (memory.has(station)) answer(memory, station, input, 1, n, out, 1);
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

/** Each connection has its own, over one memory. `line` null: bytes come over IP. */
export function createServer(
  framing: "tcp" | "rtu" | "ascii", line: LineSettings | null, memory: Memory,
): Server {
  switch (framing) {
    case "tcp": return new TcpServer(memory);
    case "rtu": return new RtuServer(memory, line);
    case "ascii": return new AsciiServer(memory);
  }
}
