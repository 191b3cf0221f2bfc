import { BAD, ERROR, FLAG, type ColumnKind, type ColumnSpec } from "../../ring.ts";
import type { Code, Value } from "./code.ts";
import { inBytes } from "./dyn.ts";
import type { Param } from "./params.ts";

const slotted = (kind: ColumnKind): boolean =>
  kind === "text" || kind === "bytes" || kind === "json" || kind === "dyn";

/** The ring that rows are read from; the other side of a join stands behind the newest values. */
export type RingOf = { readonly of: "input" } | { readonly of: "newest"; readonly index: number };

type Where = { of: "input" | "output"; column: string }
  | { of: "newest"; index: number; column: string };

/** Loads one cell at row `row` (a name); `hint` names it. */
export function load(code: Code, spec: ColumnSpec, at: Where, row: string, hint: string): Value {
  const part = (part: "payload" | "state" | "length" | "slot", name: string): string =>
    code.param({ ...at, part } as Param, name);
  const payload = part("payload", `${hint}_at`);
  const state = code.define(`${hint}_s`, `U[${part("state", `${hint}_state`)} + ${row} | 0]`);
  const { kind } = spec;
  if (kind === "int64") {
    const word = code.define(`${hint}_word`, `${payload} + (${row} << 1) | 0`);
    const value = code.define(`${hint}_low`, `I[${word}]`);
    return { kind, state, value, high: code.define(`${hint}_high`, `I[${word} + 1 | 0]`) };
  }
  if (!slotted(kind)) {
    return { kind, state, value: code.define(hint, `F[${payload} + ${row} | 0]`) };
  }
  return {
    kind, state, slot: spec.slot,
    value: code.define(hint, `${payload} + Math.imul(${row}, ${part("slot", `${hint}_slot`)}) | 0`),
    length: code.define(`${hint}_n`, `I[${part("length", `${hint}_len`)} + ${row} | 0]`),
  };
}

/** Stores a value into an output cell at row `row`. */
export function store(code: Code, spec: ColumnSpec, value: Value, row: string): void {
  const part = (part: "payload" | "state" | "length" | "slot", name: string): string =>
    code.param({ of: "output", column: spec.name, part }, name);
  const payload = part("payload", "out_at");
  let state = value.state;
  if (spec.kind === "int64") {
    const word = code.define("to", `${payload} + (${row} << 1) | 0`);
    code.line(`I[${word}] = ${value.value}; I[${word} + 1 | 0] = ${value.high};`);
  } else if (slotted(spec.kind)) {
    if (value.js !== undefined) value = inBytes(code, value);
    state = value.state;
    const to = code.define("to", `${payload} + Math.imul(${row}, ${part("slot", "out_slot")}) | 0`);
    let length = value.length!;
    if (value.slot! > spec.slot) {
      state = code.define("s",
        `${state} < 64 && ${length} > ${spec.slot} ? ${ERROR.length} : ${state}`);
      length = code.define("n", `${length} > ${spec.slot} ? 0 : ${length}`);
    }
    code.line(`fn.copyBytes(U, ${to}, ${value.value}, ${length});`);
    code.line(`I[${part("length", "out_len")} + ${row} | 0] = ${length};`);
  } else {
    const payloadText = spec.kind === "bool" ? `${value.value} | 0` : value.value;
    code.line(`F[${payload} + ${row} | 0] = ${payloadText};`);
  }
  code.line(`U[${part("state", "out_state")} + ${row} | 0] = ${state};`);
}

/** Cells of one row of a ring; each is loaded once a row. */
export class RowLeaves {
  readonly #code: Code;
  readonly #row: string;
  readonly #input: readonly ColumnSpec[];
  readonly #ring: RingOf;
  readonly #loaded = new Map<string, Value>();

  constructor(
    code: Code, input: readonly ColumnSpec[], row: string, ring: RingOf = { of: "input" },
  ) {
    this.#ring = ring;
    this.#code = code;
    this.#input = input;
    this.#row = row;
  }

  column(name: string): Value {
    let value = this.#loaded.get(name);
    if (value === undefined) {
      const index = this.#input.findIndex((c) => c.name === name);
      if (index < 0) throw new Error(`bug: stage has no input column ${name}`);
      value = load(this.#code, this.#input[index]!, { ...this.#ring, column: name } as Where,
        this.#row, `c${index}`);
      this.#loaded.set(name, value);
    }
    return value;
  }
}

/** Newest cells of other streams: read once a call, as they cannot change during it. */
export class NewestLeaves {
  readonly used: { readonly index: number; readonly time: string; readonly flags: string }[] = [];
  readonly #code: Code;
  readonly #loaded = new Map<number, Value>();

  constructor(code: Code) {
    this.#code = code;
  }

  /**
   * A cell without a row yet is BAD.initial, one older than three polls BAD.old: both read as
   * NULL.
   */
  cell(index: number, spec: ColumnSpec, pollMs: number | null): Value {
    const known = this.#loaded.get(index);
    if (known !== undefined) return known;
    const code = this.#code;
    const part = (part: "mask" | "head" | "time" | "flags"): string =>
      code.param({ of: "newest", index, part }, `newest_${part}`);
    const pending = code.take();
    const row = code.define("newest_row", `I[${part("head")}] - 1 & ${part("mask")}`);
    const time = code.define("newest_time", `F[${part("time")} + ${row} | 0]`);
    // Doubt of its row is no doubt of the one that reads it: this cell itself says what it is.
    const flags = code.define("newest_flags",
      `U[${part("flags")} + ${row} | 0] & ${~FLAG.doubtful}`);
    const loaded = load(code, spec, { of: "newest", index, column: spec.name }, row, "newest");
    const oldest = code.param({ of: "number", value: 3 * (pollMs ?? Infinity) }, "age_max");
    const state = code.define("newest_s",
      `${time} === 0 ? ${BAD.initial} : time - ${time} > ${oldest} ? ${BAD.old} : ${loaded.state}`);
    for (const line of code.take()) code.before(line);
    for (const line of pending) code.line(line);
    const value = { ...loaded, state };
    this.#loaded.set(index, value);
    this.used.push({ index, time, flags });
    return value;
  }
}
