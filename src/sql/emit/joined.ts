import { type ColumnSpec, NULL } from "../../ring.ts";
import type { JoinKind } from "../ast.ts";
import type { Bound, BoundNewest } from "../bound.ts";
import { operands } from "../rewrite/tree.ts";
import { type Code, indent, type Value } from "./code.ts";
import { Expressions } from "./expression.ts";
import { NewestLeaves, type RingOf, RowLeaves, store } from "./leaves.ts";
import type { Param } from "./params.ts";

/** Rows of one side of a join. */
export interface JoinSide {
  readonly columns: readonly ColumnSpec[];
  /** The side is only rows whose column `$from` says so; null = all. */
  readonly from: number | null;
}

export interface JoinSpec {
  readonly kind: JoinKind;
  /** What stands before the join: rows [from, to) of the kernel's input. */
  readonly left: JoinSide;
  /** Its other side, in the ring behind the query's newest values: rows as `range` has them. */
  readonly right: JoinSide;
  /** Of its ring; 0: left rows come one by one, for which no hash is worth making. */
  readonly rightRows: number;
  readonly newest: readonly BoundNewest[];
  readonly on: Bound | null;
  /** The column that holds a node's value, of which side; null = none does. */
  find(node: Bound): { readonly side: "left" | "right"; readonly name: string } | null;
  /** Of the joined rows, with the name in the side that has them. */
  readonly output: readonly {
    readonly spec: ColumnSpec; readonly side: "left" | "right"; readonly name: string;
  }[];
  readonly oldest: ColumnSpec | null;
  readonly strict: boolean;
}

/** A ring that a row is loaded from, and what the row is called in the text. */
interface Place {
  readonly of: RingOf;
  readonly row: string;
  readonly seq: string;
  readonly bounds: readonly [string, string];
  readonly side: JoinSide;
}

/**
 * State of a join beside parameters and literals:
 *
 *     range   I × 4     first and last row of the right side; pairs that found no room, and rows
 *                       on which ON failed, in this call
 *     counts  F × 2     both of all calls (joiner.ts)
 *     marks   U × n     FULL JOIN: right rows that have found a partner
 *     heads   I × n     ON a = b: by hash, 1 + the first right row with such a key, 0 = none
 *     next    I × n     by right row: 1 + the next one of the same hash
 *     bits    F × 1     a key on its way into the hash
 */
export function addJoinFields(code: Code, spec: JoinSpec): void {
  code.layout.add("range", "I", 4);
  code.layout.add("counts", "F", 2);
  if (equalityOf(spec) !== null) {
    code.layout.add("heads", "I", spec.rightRows);
    code.layout.add("next", "I", spec.rightRows);
    code.layout.add("bits", "F", 1);
  }
  if (spec.kind === "full") code.layout.add("marks", "U", spec.rightRows);
}

/**
 * The columns that ON wants equal, if it wants nothing else: right rows are then found by hash.
 * Of RIGHT JOIN the left rows would be.
 */
function equalityOf({ on, kind, strict, find, left, right, rightRows }: JoinSpec): Equality | null {
  if (on?.kind !== "binary" || on.op !== "=" || kind === "right" || strict) return null;
  if (rightRows === 0) return null;
  const found = [find(on.left), find(on.right)];
  const [a, b] = (["left", "right"] as const).map((side) =>
    found.find((one) => one?.side === side));
  const isNumber = (side: JoinSide, name: string): boolean =>
    ["float64", "int53", "time", "bool"].includes(
      side.columns.find((column) => column.name === name)!.kind);
  return a == null || b == null || !isNumber(left, a.name) || !isNumber(right, b.name) ? null
    : { left: a.name, right: b.name };
}

interface Equality {
  readonly left: string;
  readonly right: string;
}

/**
 * `join(p, from, to, head, room)`: joins left rows [from, to) with the right ones into rows from
 * `head` on, `room` at most; returns their number. The side that is kept whole (RIGHT: the right)
 * leads.
 */
export function joinKernel(code: Code, spec: JoinSpec): string {
  return new JoinText(code, spec).text();
}

class JoinText {
  readonly #code: Code;
  readonly #spec: JoinSpec;
  readonly #left: Place;
  readonly #right: Place;

  constructor(code: Code, spec: JoinSpec) {
    this.#code = code;
    this.#spec = spec;
    const range = code.param({ of: "state", field: "range" }, "range");
    this.#left = { of: { of: "input" }, row: "r", seq: "seq", bounds: ["from", "to"],
      side: spec.left };
    this.#right = { of: { of: "newest", index: spec.newest.length }, row: code.name("q"),
      seq: code.name("other"), bounds: [`I[${range} | 0]`, `I[${range} + 1 | 0]`],
      side: spec.right };
  }

  text(): string {
    const { kind, on } = this.#spec;
    const code = this.#code;
    const [outer, inner] = kind === "right" ? [this.#right, this.#left] : [this.#left, this.#right];
    const lonely = kind === "left" || kind === "right" || kind === "full";
    const leaves = { left: this.#leaves(this.#left), right: this.#leaves(this.#right) };
    // What the outer row has is loaded once for all that it is compared with.
    this.#preload(on, leaves, kind === "right" ? "right" : "left");
    const outerLoads = code.take();
    const test = on === null ? null : this.#test(on, leaves);
    const testing = code.take();
    const equal = equalityOf(this.#spec);
    const counted = test !== null && test.error !== "false"
      ? [`if (${test.error}) failed = failed + 1 | 0;`] : [];
    const pair = [
      ...(test === null || test.pass === "true" ? [] : [`if (!(${test.pass})) continue;`]),
      ...(lonely ? ["found = 1;"] : []), ...this.#mark(),
      "if (n === room) missed = missed + 1 | 0;", "else {", ...this.#stored(true, true), "}",
    ];
    const body = [
      ...this.#enter(outer), ...outerLoads, ...(lonely ? ["let found = 0;"] : []),
      ...(equal === null
        ? this.#loop(inner, [...this.#enter(inner), ...testing, ...counted, ...pair])
        : this.#chain(leaves.left.column(equal.left), [...testing, ...pair])),
      ...(lonely ? ["if (found === 0) {", ...indented(this.#alone(outer)), "}"] : []),
    ];
    const main = [...this.#cleared(), ...(equal === null ? [] : this.#hashed(equal.right)),
      ...this.#loop(outer, body), ...this.#unmarked()];
    const range = code.param({ of: "state", field: "range" }, "range");
    return `function join(p, from, to, head, room) {
${indent(code.takePrologue(), "  ")}
  let n = 0, missed = 0, failed = 0;
${indent(main, "  ")}
  I[${range} + 2 | 0] = missed;
  I[${range} + 3 | 0] = failed;
  return n;
}`;
  }

  #leaves(place: Place): RowLeaves {
    return new RowLeaves(this.#code, place.side.columns, place.row, place.of);
  }

  #preload(
    on: Bound | null, leaves: Readonly<Record<"left" | "right", RowLeaves>>, side: "left" | "right",
  ): void {
    const visit = (node: Bound): void => {
      const found = this.#spec.find(node);
      if (found?.side === side) leaves[side].column(found.name);
      if (found === null) for (const operand of operands(node)) visit(operand);
    };
    if (on !== null) visit(on);
  }

  #test(on: Bound, leaves: Readonly<Record<"left" | "right", RowLeaves>>) {
    const newest = new NewestLeaves(this.#code);
    const scope = {
      code: this.#code, row: leaves.left, newest, strict: this.#spec.strict,
      leaf: (node: Bound): Value | null => {
        const found = this.#spec.find(node);
        if (found !== null) return leaves[found.side].column(found.name);
        if (node.kind !== "newest") return null;
        const { column, pollMs } = this.#spec.newest[node.index]!;
        return newest.cell(node.index, column, pollMs);
      },
    };
    return new Expressions(scope).test(on);
  }

  /**
   * Chains the right rows by their keys, the last one first, so that they are met in their order.
   * A key that is an error makes an error of every pair; one without value meets nobody.
   */
  #hashed(key: string): string[] {
    const code = this.#code;
    const { of, seq, bounds: [from, to], side } = this.#right;
    const row = code.name("b");
    const { value, state } = new RowLeaves(code, side.columns, row, of).column(key);
    const loads = code.take();
    const heads = this.#field("heads"), next = this.#field("next");
    return [
      `for (let h = 0; h < ${this.#spec.rightRows}; h = h + 1 | 0) I[${heads} + h | 0] = 0;`,
      "let rights = 0, odd = 0;",
      `for (let ${seq} = ${to}; ${seq} !== ${from};) {`,
      `  ${seq} = ${seq} - 1 | 0;`,
      ...indented([
        ...this.#enter({ ...this.#right, row }), ...loads, "rights = rights + 1 | 0;",
        `if (${state} > 193) odd = odd + 1 | 0;`, `if (${state} > 63) continue;`,
        ...this.#slot(value), `I[${next} + ${row} | 0] = I[${heads} + slot | 0];`,
        `I[${heads} + slot | 0] = ${row} + 1 | 0;`]),
      "}",
    ];
  }

  /** The right rows whose keys have the hash of this one. */
  #chain({ value, state }: Value, body: readonly string[]): string[] {
    const heads = this.#field("heads"), next = this.#field("next");
    return [
      `failed = failed + (${state} > 193 ? rights : odd) | 0;`,
      `if (${state} < 64) {`,
      ...indented([
        ...this.#slot(value),
        `for (let e = I[${heads} + slot | 0]; e !== 0; e = I[${next} + e - 1 | 0]) {`,
        ...indented([`const ${this.#right.row} = e - 1 | 0;`, ...body]), "}"]),
      "}",
    ];
  }

  /** 0 and −0 are equal, so they must be one to the hash. */
  #slot(value: string): string[] {
    const bits = this.#field("bits");
    return [`F[${bits}] = ${value} + 0;`,
      `let slot = Math.imul(I[${bits} << 1] ^ I[(${bits} << 1) + 1 | 0], -1640531527);`,
      `slot = (slot ^ slot >>> 15) & ${this.#spec.rightRows - 1};`];
  }

  #field(field: string): string {
    return this.#code.param({ of: "state", field }, field);
  }

  #loop({ seq, bounds: [from, to] }: Place, body: readonly string[]): string[] {
    return [`for (let ${seq} = ${from}; ${seq} !== ${to}; ${seq} = ${seq} + 1 | 0) {`,
      ...indented(body), "}"];
  }

  /** The row of a loop, unless it is of another input. */
  #enter({ of, row, seq, side }: Place): string[] {
    const mask = this.#code.param({ ...of, part: "mask" } as Param, "mask");
    const lines = [`const ${row} = ${seq} & ${mask};`];
    if (side.from === null) return lines;
    const at = this.#code.param({ ...of, column: "$from", part: "payload" } as Param, "from_at");
    const wanted = this.#code.param({ of: "number", value: side.from }, "input");
    return [...lines, `if (F[${at} + ${row} | 0] !== ${wanted}) continue;`];
  }

  #alone(outer: Place): string[] {
    return ["if (n === room) missed = missed + 1 | 0;", "else {",
      ...this.#stored(outer === this.#left, outer === this.#right), "}"];
  }

  /** FULL JOIN: right rows that nobody met, behind all others. */
  #unmarked(): string[] {
    if (this.#spec.kind !== "full") return [];
    const marks = this.#marks();
    return this.#loop(this.#right, [...this.#enter(this.#right),
      `if (U[${marks} + ${this.#right.row} | 0] !== 0) continue;`, ...this.#alone(this.#right)]);
  }

  #cleared(): string[] {
    if (this.#spec.kind !== "full") return [];
    const { seq, row, of } = this.#right;
    const mask = this.#code.param({ ...of, part: "mask" } as Param, "mask");
    return this.#loop(this.#right,
      [`const ${row} = ${seq} & ${mask};`, `U[${this.#marks()} + ${row} | 0] = 0;`]);
  }

  #mark(): string[] {
    return this.#spec.kind === "full" ? [`U[${this.#marks()} + ${this.#right.row} | 0] = 1;`] : [];
  }

  #marks(): string {
    return this.#code.param({ of: "state", field: "marks" }, "marks");
  }

  /** One joined row; a side that has none gives NULL. */
  #stored(left: boolean, right: boolean): string[] {
    const code = this.#code;
    const there = { left, right };
    const leaves = { left: this.#leaves(this.#left), right: this.#leaves(this.#right) };
    const outMask = code.param({ of: "output", part: "mask" }, "out_mask");
    for (const { spec, side, name } of this.#spec.output) {
      store(code, spec, there[side] ? leaves[side].column(name) : nothing(spec), "w");
    }
    const places = [...(left ? [this.#left] : []), ...(right ? [this.#right] : [])];
    this.#stamp(places);
    const { oldest } = this.#spec;
    if (oldest !== null) {
      const ages = [...(left ? [leaves.left] : []), ...(right ? [leaves.right] : [])]
        .map((row) => row.column(oldest.name).value);
      const value = ages.length === 1 ? ages[0]! : code.define("age",
        `${ages[0]} < ${ages[1]} ? ${ages[0]} : ${ages[1]}`);
      store(code, oldest, { kind: "time", value, state: "0" }, "w");
    }
    return indented([`const w = head + n & ${outMask};`, ...code.take(), "n = n + 1 | 0;"]);
  }

  /** The time of the later one, the flags of both. */
  #stamp(places: readonly Place[]): void {
    const code = this.#code;
    const [times, flags] = (["time", "flags"] as const).map((part) => places.map((place) =>
      `${part === "time" ? "F" : "U"}[${code.param({ ...place.of, part } as Param, part)} + ${
        place.row} | 0]`)) as [string[], string[]];
    const defined = times.map((time) => code.define("t", time));
    const time = defined.length === 1 ? defined[0]!
      : `${defined[0]} > ${defined[1]} ? ${defined[0]} : ${defined[1]}`;
    const out = (part: "time" | "source" | "flags"): string =>
      code.param({ of: "output", part }, `out_${part}`);
    code.line(`F[${out("time")} + w | 0] = ${time};`);
    code.line(`F[${out("source")} + w | 0] = NaN;`);
    code.line(`U[${out("flags")} + w | 0] = ${flags.join(" | ")};`);
  }
}

const indented = (lines: readonly string[]): string[] => [indent(lines, "  ")];

const nothing = ({ kind, slot }: ColumnSpec): Value => ({
  kind, value: "0", state: String(NULL), high: "0", length: "0", slot,
});
