import { type Dyn, ERROR, NULL } from "../../src/ring.ts";
import { parseTime } from "../../src/sql/types.ts";
import type { Cell } from "./value.ts";

/** Why a value of no fixed type has no counterpart. */
export class OpenError {
  readonly state: number;

  constructor(state: number) {
    this.state = state;
  }
}

/** A text that two values share only if they are the same, in kind too. */
export function exactly(value: Dyn): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value !== "object") return Object.is(value, -0) ? "-0" : String(value);
  if (value === null) return "null";
  // A Buffer too, which would be shown as text.
  if (value instanceof Uint8Array) return `bytes ${[...value].join(",")}`;
  if (value instanceof Date) return `at ${value.getTime()}`;
  if (Array.isArray(value)) return `[${value.map(exactly).join(", ")}]`;
  return `{${[...value as ReadonlyMap<string, Dyn>]
    .map(([key, item]) => `${JSON.stringify(key)}: ${exactly(item)}`).join(", ")}}`;
}

/** Without zeros of a sign. */
export function oneZero(value: Dyn): Dyn {
  if (typeof value === "number") return value + 0;
  if (Array.isArray(value)) return value.map((item) => oneZero(item as Dyn));
  return value instanceof Map ? new Map([...value as ReadonlyMap<string, Dyn>]
    .map(([key, item]) => [key, oneZero(item)])) : value;
}

type Kind = "number" | "text" | "bool" | "time" | "bytes" | "structure";

function kindOf(value: Dyn): Kind {
  if (typeof value === "string") return "text";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number" || typeof value === "bigint") return "number";
  if (value instanceof Date) return "time";
  return value instanceof Uint8Array ? "bytes" : "structure";
}

/** A value of a fixed kind as one of none. */
export function opened({ value, state }: Cell, kind: string): Cell {
  switch (kind) {
    case "int53": return { value: BigInt(value as number), state };
    case "time": return { value: new Date(value as number), state };
    case "json": {
      const parsed = fromJson(value as string);
      if (parsed === undefined) return { value: null, state: ERROR.parse };
      return parsed === null ? { value: null, state: NULL } : { value: parsed, state };
    }
    default: return { value, state };
  }
}

export function fromJson(text: string): Dyn | undefined {
  const open = (value: unknown): Dyn => {
    if (Array.isArray(value)) return value.map(open);
    if (typeof value === "string") return Buffer.from(value).toString();
    if (typeof value !== "object" || value === null) return value as Dyn;
    return new Map(Object.entries(value)
      .map(([key, item]) => [Buffer.from(key).toString(), open(item)]));
  };
  try {
    return open(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The sign of the order, NaN where there is none, null where the two cannot be compared. */
export function openOrder(a: Dyn, b: Dyn): number | null {
  const kinds = [kindOf(a), kindOf(b)];
  if (kinds.includes("structure")) return null;
  if (kinds.includes("time")) {
    const [x, y] = [a, b].map((value) => value instanceof Date ? value.getTime()
      : typeof value === "string" ? parseTime(value)
      : kindOf(value) === "number" ? Number(value) : null);
    return x === null || y === null || Number.isNaN(x! - y!) ? null : Math.sign(x! - y!);
  }
  if (kinds[0] !== kinds[1]) return null;
  if (kinds[0] === "text" || kinds[0] === "bytes") {
    const [x, y] = [a, b].map((value) => Buffer.from(value as string));
    return Buffer.compare(x!, y!);
  }
  return a! < b! ? -1 : a! > b! ? 1 : a! <= b! ? 0 : NaN;
}

const whole = (value: number): Dyn | OpenError => (Number.isSafeInteger(value) ? value + 0
  : new OpenError(ERROR.overflow));

/** The value as a kind that it is of. */
export function openNarrow(kind: string, value: Dyn): Dyn | OpenError {
  const is = kindOf(value);
  const wrong = new OpenError(ERROR.type);
  switch (kind) {
    case "float64": return is === "number" ? Number(value) : wrong;
    case "int53":
      if (is !== "number" || (typeof value === "number" && value % 1 !== 0)) return wrong;
      return whole(Number(value));
    case "bool": return is === "bool" ? value : wrong;
    case "text": return is === "text" ? value : wrong;
    case "bytes": return is === "bytes" ? value : wrong;
    default: {
      if (is === "text") return parseTime(value as string) ?? new OpenError(ERROR.parse);
      const time = is === "number" || is === "time" ? Number(value) : NaN;
      return Number.isNaN(time) ? wrong : time;
    }
  }
}

/** What `cast()` makes of the value. */
export function openCast(kind: string, value: Dyn): Dyn | OpenError {
  const is = kindOf(value);
  const senseless = new OpenError(ERROR.cast);
  if (kind === "text") return is === "time" && Number.isNaN(Number(value)) ? senseless
    : textOf(value);
  if (kind === "bytes") {
    return is === "bytes" ? value : is === "text" ? base64(value as string) : senseless;
  }
  if (kind === "time") return is === "bool" ? senseless : openNarrow(kind, value);
  if (kind === "bool") {
    if (is === "bool") return value;
    if (is === "number") return Number(value) !== 0;
    if (is !== "text") return senseless;
    const truth = new Map([["true", true], ["1", true], ["false", false], ["0", false]]);
    return truth.get(value as string) ?? new OpenError(ERROR.parse);
  }
  if (is === "bytes" || is === "structure") return senseless;
  const number = Number(value);
  if (is === "text" && Number.isNaN(number)) return new OpenError(ERROR.parse);
  if (kind === "float64") return number;
  return Number.isFinite(number) ? whole(Math.trunc(number)) : new OpenError(ERROR.number);
}

/** The bytes that a text stands for, which must be the one way to write them. */
export function base64(text: string): Uint8Array | OpenError {
  const bytes = Buffer.from(text, "base64");
  // Bits past the last byte may be anything.
  const same = bytes.toString("base64").length === text.length && /^[A-Za-z0-9+/]*=*$/.test(text);
  return same ? new Uint8Array(bytes) : new OpenError(ERROR.parse);
}

function textOf(value: Dyn): string {
  if (typeof value === "string") return value;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  return json(value);
}

function json(value: Dyn): string {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString("base64"));
  if (value instanceof Map) {
    const fields = Array.from(value as ReadonlyMap<string, Dyn>,
      ([key, item]) => `${JSON.stringify(key)}:${json(item)}`);
    return `{${fields.join(",")}}`;
  }
  return Array.isArray(value) ? `[${value.map((item) => json(item as Dyn)).join(",")}]`
    : JSON.stringify(value);
}
