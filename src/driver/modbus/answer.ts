import type { Area } from "./address.ts";
import {
  get16, ILLEGAL_FUNCTION, ILLEGAL_VALUE, MASK_WRITE, READ_COILS, READ_DISCRETES, READ_HOLDINGS,
  READ_INPUTS, READ_WRITE, REFUSED, WRITE_COIL, WRITE_COILS, WRITE_REGISTER, WRITE_REGISTERS,
} from "./pdu.ts";

/** What requests are answered from. Each call gives 0, or the exception code of the answer. */
export interface Memory {
  has(station: number): boolean;
  /** Puts registers, or packed bits, at `out[to…]`, where zeros stand. */
  read(
    station: number, area: Area, from: number, count: number, out: Uint8Array, to: number,
  ): number;
  /** `data[at…]`: registers, or one byte a bit. */
  write(
    station: number, area: Area, from: number, count: number, data: Uint8Array, at: number,
  ): number;
  /** A register becomes (it and `and`) or (`or` and not `and`), which stand at `masks[at…]`. */
  mask?(station: number, register: number, masks: Uint8Array, at: number): number;
}

/** Most registers, or bits, of FC16 and FC15 (6.12, 6.11). */
const write_registers_max = 123;
const write_bits_max = 1968;
/** Most registers that FC23 writes (6.17). */
const read_write_registers_max = 121;
const read_registers_max = 125;
const read_bits_max = 2000;

/** The answer to the PDU `input[at…at+n)`, put at `out[to…]`; its length. */
export function answer(
  memory: Memory, station: number, input: Uint8Array, at: number, n: number,
  out: Uint8Array, to: number,
): number {
  const code = input[at]!;
  const length = serve(memory, station, code, input, at, n, out, to);
  if (length > 0) return length;
  out[to] = code | REFUSED;
  out[to + 1] = -length;
  return 2;
}

/** Length of the answer, or the exception code negated. */
function serve(
  memory: Memory, station: number, code: number, input: Uint8Array, at: number, n: number,
  out: Uint8Array, to: number,
): number {
  if (n < 5 || (n > 5 && code <= WRITE_REGISTER)) {
    return -(isKnown(code) ? ILLEGAL_VALUE : ILLEGAL_FUNCTION);
  }
  const from = get16(input, at + 1);
  const count = get16(input, at + 3);
  const read = (area: Area, bits: boolean): number =>
    readInto(memory, station, area, from, count, out, to, code, bits);
  const written = (exception: number, bytes = 5): number =>
    (exception === 0 ? echo(input, at, out, to, bytes) : -exception);
  switch (code) {
    case READ_COILS: return read("coil", true);
    case READ_DISCRETES: return read("discrete", true);
    case READ_INPUTS: return read("input", false);
    case READ_HOLDINGS: return read("holding", false);
    case WRITE_COIL:
      if (count !== 0 && count !== 0xff00) return -ILLEGAL_VALUE;
      return written(memory.write(station, "coil", from, 1, Uint8Array.of(count >> 15), 0));
    case WRITE_REGISTER:
      return written(memory.write(station, "holding", from, 1, input, at + 3));
    case WRITE_COILS: {
      const bytes = Math.ceil(count / 8);
      if (!counted(input, at, n, count, write_bits_max, bytes)) return -ILLEGAL_VALUE;
      const bits = Uint8Array.from({ length: count }, (_, i) =>
        (input[at + 6 + (i >> 3)]! >> (i & 7)) & 1);
      return written(memory.write(station, "coil", from, count, bits, 0));
    }
    case WRITE_REGISTERS:
      if (!counted(input, at, n, count, write_registers_max, count * 2)) return -ILLEGAL_VALUE;
      return written(memory.write(station, "holding", from, count, input, at + 6));
    case MASK_WRITE:
      if (memory.mask === undefined) return -ILLEGAL_FUNCTION;
      if (n !== 7) return -ILLEGAL_VALUE;
      return written(memory.mask(station, from, input, at + 3), 7);
    case READ_WRITE: return readWrite(memory, station, input, at, n, out, to);
    default: return -ILLEGAL_FUNCTION;
  }
}

function readInto(
  memory: Memory, station: number, area: Area, from: number, count: number,
  out: Uint8Array, to: number, code: number, bits: boolean,
): number {
  if (count < 1 || count > (bits ? read_bits_max : read_registers_max)) return -ILLEGAL_VALUE;
  const bytes = bits ? Math.ceil(count / 8) : count * 2;
  out[to] = code;
  out[to + 1] = bytes;
  out.fill(0, to + 2, to + 2 + bytes);
  const exception = memory.read(station, area, from, count, out, to + 2);
  return exception === 0 ? 2 + bytes : -exception;
}

/** Writes first, then reads (6.17); nothing is written if what is to be read is not there. */
function readWrite(
  memory: Memory, station: number, input: Uint8Array, at: number, n: number,
  out: Uint8Array, to: number,
): number {
  if (n < 10) return -ILLEGAL_VALUE;
  const [from, count, first, words] = [1, 3, 5, 7].map((i) => get16(input, at + i)) as
    [number, number, number, number];
  const sound = words >= 1 && words <= read_write_registers_max && input[at + 9] === words * 2;
  if (!sound || n !== 10 + words * 2) return -ILLEGAL_VALUE;
  const read = (): number =>
    readInto(memory, station, "holding", from, count, out, to, READ_WRITE, false);
  const refusal = read();
  if (refusal < 0) return refusal;
  const exception = memory.write(station, "holding", first, words, input, at + 10);
  return exception === 0 ? read() : -exception;
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
function echo(input: Uint8Array, at: number, out: Uint8Array, to: number, bytes: number): number {
  for (let i = 0; i < bytes; i++) out[to + i] = input[at + i]!;
  return bytes;
}
