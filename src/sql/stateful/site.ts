import type { BoundType } from "../bound.ts";
import type { Interrupt } from "../program.ts";
import { type Code, indent, nullState, type Value } from "../emit/code.ts";

/** What a value is made of, as names of this row: how old its oldest input is, and flags. */
export interface Lineage {
  /** null where the rule does not carry it. */
  readonly oldest: string | null;
  readonly flags: string;
}

/** Where the state of a call site lies: of one, or of as many as its PARTITION BY has keys. */
export interface Group {
  /** Name of the key's number, −1 for a key without room; null without PARTITION BY. */
  readonly g: string | null;
  readonly keys: number;
  /** What the fields of its key table begin with. */
  readonly table: string | null;
}

export const block = (head: string, lines: readonly string[]): string =>
  `${head} {\n${indent(lines, "  ")}\n}`;

/** One of two, as a condition says; of one that is TRUE or FALSE always only that. */
export function either(test: string, yes: readonly string[], no: readonly string[]): string[] {
  if (test === "true") return [...yes];
  if (test === "false") return [...no];
  return [block(`if (${test})`, yes), ...(no.length === 0 ? [] : [block("else", no)])];
}

/**
 * One call of a function with state, inside the kernel that runs it. Its result is in variables of
 * the row, which `emit` of the function assigns:
 *
 *     y, and `high` or `length`    the value
 *     s                            its state, NULL to begin with
 *     oldest, flags                its lineage, the row's to begin with
 */
export class Site {
  readonly code: Code;
  /** None better than WHEN and the keys are, as conditions take them. */
  readonly args: readonly Value[];
  /** The argument's value where it is written out, else null. */
  readonly constants: readonly unknown[];
  readonly type: BoundType;
  /** Condition: WHEN lets the row change the state. */
  readonly when: string;
  /** Engine time of the row, ms. */
  readonly time: string;
  readonly input: Lineage;
  readonly y: string;
  readonly s: string;
  readonly result: Lineage;
  /** What the names of its fields begin with. */
  readonly name: string;
  readonly interrupts: Interrupt[] = [];
  readonly #group: Group;
  readonly #extra: string | null;

  constructor(
    code: Code, name: string, type: BoundType, group: Group,
    row: Pick<Site, "args" | "constants" | "when" | "time" | "input">,
  ) {
    this.code = code;
    this.type = type;
    this.args = row.args;
    this.when = row.when;
    this.constants = row.constants;
    this.time = row.time;
    this.input = row.input;
    this.name = name;
    this.#group = group;
    this.y = code.name("y");
    this.s = code.name("s");
    this.#extra = type.kind === "int64" ? code.name("high")
      : type.slot > 0 ? code.name("length") : null;
    this.result = {
      oldest: row.input.oldest === null ? null : code.name("oldest"), flags: code.name("flags"),
    };
  }

  /** A gap in the rows sets a field, if `begun` is not 0, as a row without a value does. */
  interrupted(name: string, value: number, begun: string): void {
    const [field, of] = [name, begun].map((own) => `${this.name}.${own}`) as [string, string];
    this.interrupts.push({ field, value, begun: of, keys: this.#group.keys });
  }

  /** Number of the state's place among those of all keys. */
  get index(): string {
    return this.#group.g ?? "0";
  }

  /** Index of a field of this call site, with `count` elements for each key. */
  field(name: string, view: "F" | "I" | "U" = "F", count = 1): string {
    const field = `${this.name}.${name}`;
    const { layout } = this.code;
    if (!layout.has(field)) layout.add(field, view, count * this.#group.keys);
    return this.code.param({ of: "state", field }, field.replaceAll(".", "_"));
  }

  /** The text of a number that is kept for each key. */
  place(name: string): string {
    return this.number(this.field(name), this.index);
  }

  /**
   * Element `at` of a field in F; that of a call without keys is a variable of the kernel. `whole`:
   * it is a small whole number.
   */
  number(field: string, at: string, whole = false): string {
    return at === "0" ? this.code.variable(field, whole) : `F[${placed(field, at)}]`;
  }

  /** The lines of the call, around what the function itself does. */
  lines(body: readonly string[]): string[] {
    const { y, s, input, result } = this;
    const extra = this.#extra === null ? "" : `, ${this.#extra} = 0`;
    const oldest = result.oldest === null ? "" : `, ${result.oldest} = ${input.oldest}`;
    const { g } = this.#group;
    return [
      `let ${y} = 0${extra}, ${s} = ${nullState}${oldest}, ${result.flags} = ${input.flags};`,
      ...(g === null ? body : [block(`if (${g} >= 0)`, body)]),
    ];
  }

  /** The result as a value of the row, in state `state`. */
  value(state: string): Value {
    const { kind, slot } = this.type;
    const value = { kind, state, value: this.y };
    if (kind === "int64") return { ...value, high: this.#extra! };
    return this.#extra === null ? value : { ...value, length: this.#extra, slot };
  }

  /** Makes a value the result; its state is another matter. */
  assign(value: Value): string {
    const extra = value.high ?? value.length;
    const own = value.kind === "bool" ? `${value.value} | 0` : value.value;
    return `${this.y} = ${own};` + (extra === undefined ? "" : ` ${this.#extra} = ${extra};`);
  }

  /** The result is no better than `state`. */
  raise(state: string): string {
    return `if (${state} > ${this.s}) ${this.s} = ${state};`;
  }

  /** The state was used: what made it has made the result too. `at` is its place. */
  uses(at = this.index, count = 1): string {
    const { oldest, flags } = this.result;
    const [time, bits] = this.#lineage(at, count);
    return (oldest === null ? "" : `if (${time} < ${oldest}) ${oldest} = ${time}; `) +
      `${flags} = ${flags} | ${bits};`;
  }

  /** What makes the state from now on: this row alone, or all that made the result. */
  made(of: Lineage, at = this.index, count = 1): string {
    const [time, bits] = this.#lineage(at, count);
    return (of.oldest === null ? "" : `${time} = ${of.oldest}; `) + `${bits} = ${of.flags};`;
  }

  #lineage(at: string, count: number): [string, string] {
    const place = (name: string): string =>
      this.number(this.field(name, "F", count), at, name === "flags");
    return [this.input.oldest === null ? "" : place("oldest"), place("flags")];
  }
}

/** Index of element `at` of a field. */
const placed = (field: string, at: string): string => (at === "0" ? field : `${field} + ${at} | 0`);

/** A cell of any scalar kind that is kept for each key, `count` of them; its state is a number. */
export class KeptCell {
  readonly #site: Site;
  readonly #type: BoundType;
  readonly #at: string;
  readonly #state: string;
  readonly #slot: string;
  readonly #length: string;

  constructor(site: Site, name: string, type: BoundType, count = 1) {
    this.#site = site;
    this.#type = type;
    const { slot } = type;
    this.#at = slot > 0 ? site.field(name, "U", count * slot) : site.field(name, "F", count);
    this.#state = site.field(`${name}.state`, "F", count);
    this.#slot = slot > 0 ? site.code.param({ of: "number", value: slot }, "slot_bytes") : "";
    this.#length = slot > 0 ? site.field(`${name}.length`, "I", count) : "";
  }

  /** State of the cell; 0 before anything was kept. */
  state(at = this.#site.index): string {
    return this.#site.number(this.#state, at, true);
  }

  keep(value: Value, at = this.#site.index): string {
    const state = `${this.state(at)} = ${value.state};`;
    const place = this.value(at);
    if (this.#type.kind === "int64") {
      return `${place.value} = ${value.value}; ${place.high} = ${value.high}; ${state}`;
    }
    if (this.#type.slot > 0) {
      return `fn.copyBytes(U, ${place.value}, ${value.value}, ${value.length}); ` +
        `${place.length} = ${value.length}; ${state}`;
    }
    const own = value.kind === "bool" ? `${value.value} | 0` : value.value;
    return `${place.value} = ${own}; ${state}`;
  }

  /** The cell where it lies: another row may change it. */
  value(at = this.#site.index): Value {
    const { kind, slot } = this.#type;
    const state = this.state(at);
    if (kind === "int64") {
      const word = `(${at === "0" ? this.#at : `${this.#at} + ${at}`} << 1)`;
      return { kind, state, value: `I[${word}]`, high: `I[${word} + 1 | 0]` };
    }
    if (slot === 0) return { kind, state, value: this.#site.number(this.#at, at) };
    return {
      kind, state, slot, length: `I[${placed(this.#length, at)}]`,
      value: at === "0" ? this.#at : `${this.#at} + Math.imul(${at}, ${this.#slot}) | 0`,
    };
  }

  /** Condition: the payload is that of a value; says nothing of states. */
  same(value: Value): string {
    const kept = this.value();
    if (kept.high !== undefined) {
      return `${kept.value} === ${value.value} && ${kept.high} === ${value.high}`;
    }
    if (kept.length !== undefined) {
      return `fn.sameBytes(U, ${kept.value}, ${kept.length}, ${value.value}, ${value.length})`;
    }
    return value.kind === "bool" ? `${kept.value} === (${value.value} | 0)`
      : `${kept.value} === ${value.value}`;
  }
}
