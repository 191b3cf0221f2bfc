import { textOfBytes } from "../base.ts";
import type { Column } from "./column.ts";
import { ERROR, GOOD, NULL } from "./cell.ts";
import { type Dyn, DynReader, DynWriter, jsonOfDyn } from "./dyn.ts";
import type { Ring } from "./ring.ts";

/**
 * A cell's payload as JavaScript sees it at the edge: API, codecs, tests. Never per row in a
 * kernel.
 */
/** What a write puts into a tag, and what is read back: a number (a bool is 0 or 1) or a text. */
export type Written = number | string;

export type CellValue = number | bigint | boolean | string | Uint8Array | null;

const encoder = new TextEncoder();
const two32 = 2 ** 32;
const dynReader = new DynReader();
const dynWriter = new DynWriter();

/** The payload of row `seq`, whatever its state (bad: the last known value). */
export function readCell(ring: Ring, column: Column, seq: number): CellValue {
  const { F, I, U } = ring.arena;
  const row = seq & ring.mask;
  switch (column.kind) {
    case "float64": case "int53": case "time":
      return F[column.payload + row]!;
    case "bool":
      return F[column.payload + row] !== 0;
    case "int64": {
      const word = (column.payload + row) * 2;
      return (BigInt(I[word + 1]!) << 32n) | BigInt(I[word]! >>> 0);
    }
    case "dyn": return I[column.length + row] === 0 ? null
      : scalarOf(dynReader.read(U, column.payload + row * column.stride));
    case "text": case "json": case "bytes": {
      const from = column.payload + row * column.stride;
      // A copy: a view of shared memory would change under its reader, and cannot be decoded.
      const bytes = U.slice(from, from + I[column.length + row]!);
      return column.kind === "text" || column.kind === "json" ? textOfBytes(bytes) : bytes;
    }
  }
}

/** A structure as the text of its JSON, a time as ISO 8601; null: it is no date. */
function scalarOf(value: Dyn): CellValue {
  if (value instanceof Date) return Number.isNaN(+value) ? null : value.toISOString();
  return typeof value !== "object" || value === null || value instanceof Uint8Array ? value
    : jsonOfDyn(value);
}

/**
 * Writes a value and its state into row `seq`; a value that does not fit the column becomes an
 * error cell. `null` is NULL.
 */
export function writeCell(
  ring: Ring, column: Column, seq: number, value: Dyn, state: number = GOOD,
): void {
  const { U } = ring.arena;
  const row = seq & ring.mask;
  U[column.state + row] = value === null ? NULL : put(ring, column, row, value) ?? state;
}

/** The error code if the value does not fit. */
function put(ring: Ring, column: Column, row: number, value: Dyn): number | null {
  const { F, I, U } = ring.arena;
  switch (column.kind) {
    case "float64": case "time":
      if (typeof value !== "number" && typeof value !== "bigint") return ERROR.type;
      if (!Number.isFinite(Number(value))) return ERROR.number;
      F[column.payload + row] = Number(value);
      return null;
    case "int53":
      if (typeof value !== "number" && typeof value !== "bigint") return ERROR.type;
      if (!Number.isInteger(Number(value))) return ERROR.type;
      if (!Number.isSafeInteger(Number(value))) return ERROR.overflow;
      F[column.payload + row] = Number(value);
      return null;
    case "bool":
      if (typeof value !== "boolean") return ERROR.type;
      F[column.payload + row] = value ? 1 : 0;
      return null;
    case "int64": {
      if (typeof value !== "bigint" && !(typeof value === "number" && Number.isInteger(value))) {
        return ERROR.type;
      }
      const word = (column.payload + row) * 2;
      if (typeof value === "number" && Number.isSafeInteger(value)) {
        I[word] = value % two32;
        I[word + 1] = Math.floor(value / two32);
        return null;
      }
      const whole = BigInt(value);
      if (BigInt.asIntN(64, whole) !== whole) return ERROR.overflow;
      I[word] = Number(BigInt.asIntN(32, whole));
      I[word + 1] = Number(BigInt.asIntN(32, whole >> 32n));
      return null;
    }
    case "dyn": {
      const length = dynWriter.write(U, column.payload + row * column.stride, column.slot, value);
      if (length < 0) return ERROR.length;
      I[column.length + row] = length;
      return null;
    }
    case "text": case "json": case "bytes": {
      const bytes = typeof value === "string" ? encoder.encode(value) : value;
      if (!(bytes instanceof Uint8Array)) return ERROR.type;
      if (bytes.length > column.slot) return ERROR.length;
      U.set(bytes, column.payload + row * column.stride);
      I[column.length + row] = bytes.length;
      return null;
    }
  }
}
