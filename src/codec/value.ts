import { stringifyJson } from "../base.ts";
import { type CellValue, type ColumnSpec, ERROR } from "../ring.ts";

/** Why a value cannot stand in a column: state of an error cell, and the value for a person. */
export interface Misfit {
  readonly error: number;
  readonly text: string;
}

const encoder = new TextEncoder();

/**
 * A value as a client library or a text gives it, as a cell of a column; `undefined` is NULL. Texts
 * are read as numbers, booleans and times: CSV and Redis know nothing else, and databases give
 * decimals as texts.
 */
export function cellOf(value: unknown, spec: ColumnSpec): CellValue | Misfit {
  if (value === null || value === undefined) return null;
  const cell = convert(value, spec);
  const text = String(value).slice(0, 40);
  if (cell === undefined) return { error: ERROR.type, text };
  const bytes = typeof cell === "string" ? encoder.encode(cell).length
    : cell instanceof Uint8Array ? cell.length : 0;
  return bytes > spec.slot && spec.slot > 0 ? { error: ERROR.length, text } : cell;
}

export const isMisfit = (cell: CellValue | Misfit): cell is Misfit =>
  typeof cell === "object" && cell !== null && "error" in cell;

function convert(value: unknown, { kind }: ColumnSpec): CellValue | undefined {
  switch (kind) {
    case "float64": return finite(value, /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i);
    case "int53": {
      const whole = finite(value, /^\s*[+-]?\d+\s*$/);
      return Number.isSafeInteger(whole) ? whole : undefined;
    }
    case "int64": return whole(value);
    case "bool": return bool(value);
    case "time": return time(value);
    case "text": return typeof value === "string" ? value : undefined;
    case "json": return typeof value === "string" ? value : stringifyJson(value);
    case "bytes": return value instanceof Uint8Array ? value : undefined;
    case "dyn": return undefined;
  }
}

function finite(value: unknown, form: RegExp): number | undefined {
  if (typeof value === "string" && !form.test(value)) return undefined;
  if (typeof value !== "number" && typeof value !== "bigint" && typeof value !== "string") {
    return undefined;
  }
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}

function whole(value: unknown): bigint | undefined {
  if (typeof value === "number" ? !Number.isSafeInteger(value)
    : typeof value === "string" ? !/^\s*[+-]?\d+\s*$/.test(value) : typeof value !== "bigint") {
    return undefined;
  }
  const found = BigInt(typeof value === "string" ? value.replace("+", "") : value as bigint);
  return BigInt.asIntN(64, found) === found ? found : undefined;
}

function bool(value: unknown): boolean | undefined {
  if (typeof value === "boolean") return value;
  if (/^(true|t|1)$/i.test(String(value))) return true;
  return /^(false|f|0)$/i.test(String(value)) ? false : undefined;
}

function time(value: unknown): number | undefined {
  const ms = value instanceof Date ? value.getTime()
    : typeof value === "string" ? Date.parse(value) : finite(value, /./);
  return ms === undefined || Number.isNaN(ms) ? undefined : ms;
}
