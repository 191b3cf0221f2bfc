import { limits, textOfBytes } from "../../base.ts";
import { type Dyn, DynReader, DynWriter, ERROR, jsonOfDyn } from "../../ring.ts";
import { parseTime } from "../types.ts";

/** What generated code calls to work on values of no fixed type. Allocates, apart from floats. */

/** Why the last call gave undefined. */
export const wrong = new Int32Array(1);

const writer = new DynWriter();
const reader = new DynReader();

export const readDyn = (U: Uint8Array, at: number): Dyn => reader.read(U, at);

export const writeDyn = (U: Uint8Array, at: number, slot: number, value: Dyn): number =>
  writer.write(U, at, slot, value);

const room = new Uint8Array(limits.slot_bytes_max);

/** Whether a cell with so many bytes has room for the value. */
export const fits = (value: Dyn, slot: number): boolean =>
  typeof value === "number" || writer.write(room, 0, slot, value) >= 0;

function fail(state: number): undefined {
  wrong[0] = state;
  return undefined;
}

const isNumber = (value: Dyn): value is number | bigint =>
  typeof value === "number" || typeof value === "bigint";

export function arithmetic(op: string, a: Dyn, b: Dyn): number | bigint | undefined {
  if (!isNumber(a) || !isNumber(b)) return fail(ERROR.type);
  if ((op === "/" || op === "%") && Number(b) === 0) return fail(ERROR.zero);
  if (typeof a === "bigint" && typeof b === "bigint") {
    const whole = op === "+" ? a + b : op === "-" ? a - b : op === "*" ? a * b
      : op === "/" ? a / b : a % b;
    return BigInt.asIntN(64, whole) === whole ? whole : fail(ERROR.overflow);
  }
  const [x, y] = [Number(a), Number(b)];
  return op === "+" ? x + y : op === "-" ? x - y : op === "*" ? x * y : op === "/" ? x / y : x % y;
}

/** Texts in the order of their UTF-8: that of code points. */
function compareTexts(a: string, b: string): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const x = a.charCodeAt(i), y = b.charCodeAt(i);
    if (x === y) continue;
    // A surrogate stands for a character beyond all others.
    const high = Number(x >= 0xd800 && x < 0xe000) - Number(y >= 0xd800 && y < 0xe000);
    return high !== 0 ? high : x - y;
  }
  return a.length - b.length;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

/** Time as milliseconds of what can be compared with one; NaN if it cannot. */
function millis(value: Dyn): number {
  if (value instanceof Date) return value.getTime();
  if (typeof value === "string") return parseTime(value) ?? NaN;
  return isNumber(value) ? Number(value) : NaN;
}

/**
 * Below 0, 0 or above as `a` is less, equal or more; NaN where there is no order; undefined where
 * the two cannot be compared.
 */
export function orderDyn(a: Dyn, b: Dyn): number | undefined {
  if (isNumber(a) && isNumber(b)) {
    return a < b ? -1 : a > b ? 1 : Number(a) === Number(b) ? 0 : NaN;
  }
  if (typeof a === "string" && typeof b === "string") return compareTexts(a, b);
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return compareBytes(a, b);
  if (!(a instanceof Date) && !(b instanceof Date)) return undefined;
  const [x, y] = [millis(a), millis(b)];
  return Number.isNaN(x) || Number.isNaN(y) ? undefined : x - y;
}

export function compareDyn(op: string, a: Dyn, b: Dyn): boolean | undefined {
  const order = orderDyn(a, b);
  const equality = op === "=" || op === "!=";
  if (order === undefined || (!equality && typeof a === "boolean")) return fail(ERROR.type);
  switch (op) {
    case "=": return order === 0;
    case "!=": return order !== 0;
    case "<": return order < 0;
    case "<=": return order <= 0;
    case ">": return order > 0;
    default: return order >= 0;
  }
}

/** Whether an item of a list is the value: what cannot be compared is not. */
export const equalDyn = (a: Dyn, b: Dyn): boolean => orderDyn(a, b) === 0;

function wholeOf(value: number): number | undefined {
  return Number.isSafeInteger(value) ? value + 0 : fail(ERROR.overflow);
}

/** The value as a kind that it already is; undefined: it is another. */
export function narrowDyn(kind: string, value: Dyn): number | bigint | boolean | string
  | Uint8Array | undefined {
  switch (kind) {
    case "float64": return isNumber(value) ? Number(value) : fail(ERROR.type);
    case "int53":
      if (typeof value === "bigint") return wholeOf(Number(value));
      return typeof value === "number" && Number.isInteger(value) ? wholeOf(value)
        : fail(ERROR.type);
    case "bool": return typeof value === "boolean" ? value : fail(ERROR.type);
    case "text": return typeof value === "string" ? value : fail(ERROR.type);
    case "bytes": return value instanceof Uint8Array ? value : fail(ERROR.type);
    default: {
      const time = millis(value);
      if (!Number.isNaN(time)) return time;
      return fail(typeof value === "string" ? ERROR.parse : ERROR.type);
    }
  }
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** What `cast()` makes of the value. */
export function castDyn(kind: string, value: Dyn): ReturnType<typeof narrowDyn> {
  const scalar = typeof value !== "object";
  switch (kind) {
    case "text":
      if (value instanceof Uint8Array) return textOfBytes(value);
      if (value instanceof Date) {
        return Number.isNaN(+value) ? fail(ERROR.cast) : value.toISOString();
      }
      return typeof value === "string" ? value : jsonOfDyn(value);
    case "bytes":
      if (typeof value === "string") {
        return base64.test(value) ? new Uint8Array(Buffer.from(value, "base64"))
          : fail(ERROR.parse);
      }
      return value instanceof Uint8Array ? value : fail(ERROR.cast);
    case "bool":
      if (typeof value === "string") {
        return value === "true" || value === "1" ? true
          : value === "false" || value === "0" ? false : fail(ERROR.parse);
      }
      return scalar ? Number(value) !== 0 : fail(ERROR.cast);
    case "time":
      return typeof value === "boolean" ? fail(ERROR.cast) : narrowDyn("time", value);
  }
  if (!scalar && !(value instanceof Date)) return fail(ERROR.cast);
  const number = Number(value);
  if (typeof value === "string" && Number.isNaN(number)) return fail(ERROR.parse);
  if (kind === "float64") return number;
  return number - number === 0 ? wholeOf(Math.trunc(number)) : fail(ERROR.number);
}
