import type { ColumnSpec } from "../../ring.ts";
import { UNFIT_FLAGS } from "../../ring.ts";
import type { BoundStateful } from "../bound.ts";
import { Code, indent, known, trusted, type Value, worst } from "../emit/code.ts";
import { inBytes } from "../emit/dyn.ts";
import { Expressions } from "../emit/expression.ts";
import { NewestLeaves, RowLeaves, store } from "../emit/leaves.ts";
import type { StageInput } from "../emit/stages.ts";
import { statefulFunctions } from "../functions.ts";
import type { Interrupt } from "../program.ts";
import { walk } from "../rewrite/tree.ts";
import type { AlarmPlan } from "./alarms.ts";
import { KeyTable } from "./keys.ts";
import { type Group, type Lineage, Site } from "./site.ts";

/** The kernel of a stage of functions with state, in the making. */
export class StatefulKernel {
  readonly #code: Code;
  readonly #input: StageInput;
  readonly #row: RowLeaves;
  readonly #newest: NewestLeaves;
  readonly #values: Expressions;
  readonly #done = new Map<BoundStateful, { readonly value: Value; readonly lineage: Lineage }>();
  readonly #tables = new Map<string, { readonly g: string; readonly name: string }>();
  readonly alarms: AlarmPlan[] = [];
  readonly interrupts: Interrupt[] = [];
  readonly #time: string;
  readonly #own: Lineage;

  constructor(code: Code, input: StageInput) {
    this.#code = code;
    this.#input = input;
    this.#row = new RowLeaves(code, input.columns, "r");
    this.#newest = new NewestLeaves(code);
    this.#values = new Expressions({
      code, row: this.#row, newest: this.#newest, leaf: (node) => this.#leaf(node),
      // A condition of a call lets no row pass; its quality is that of the call's result.
      strict: false,
    });
    const { oldest } = input;
    const times = code.param({ of: "input", part: "time" }, "in_time");
    this.#time = code.define("t", `F[${times} + r | 0]`);
    const flags = code.param({ of: "input", part: "flags" }, "in_flags");
    this.#own = {
      flags: code.define("row_flags", `U[${flags} + r | 0]`),
      oldest: oldest === null ? null
        : input.columns.some((c) => c.name === oldest.name) ? this.#row.column(oldest.name).value
        : this.#time,
    };
  }

  #leaf(node: Parameters<StageInput["find"]>[0]): Value | null {
    const name = this.#input.find(node);
    if (name !== undefined) return this.#row.column(name);
    if (node.kind === "stateful") return this.#done.get(node)!.value;
    if (node.kind === "column") return this.#row.column(node.name);
    // The row's own time: no window has closed yet.
    if (node.kind === "window") return { kind: "int53", value: this.#time, state: "0" };
    if (node.kind !== "newest") return null;
    const { column, pollMs } = this.#input.newest[node.index]!;
    return this.#newest.cell(node.index, column, pollMs);
  }

  /** One call; those inside its arguments have been added before. */
  call(node: BoundStateful, name: string): void {
    const code = this.#code;
    const fn = statefulFunctions.get(node.fn)!;
    const when = node.when === null ? null : this.#values.value(node.when);
    const keys = node.partitionBy.map((key) => inBytes(code, this.#values.value(key)));
    const context = worst(code, ...[...keys, ...(when === null ? [] : [when])]
      .map((value) => trusted(code, value.state)));
    const args = node.args.map((arg) => {
      const value = inBytes(code, this.#values.value(arg));
      return { ...value, state: worst(code, value.state, context) };
    });
    const group = this.#group(node, keys);
    if (node.fn === "alarm") this.#addAlarm(node, name, group);
    const site = new Site(code, name, node.type, group, {
      args, constants: node.args.map((arg) => (arg.kind === "literal" ? arg.value : null)),
      when: when === null ? "true" : known(when.state) === "true" ? `${when.value}`
        : `${known(when.state)} && ${when.value}`,
      time: this.#time, input: this.#inputOf(node),
    });
    for (const line of site.lines(fn.emit(site))) code.line(line);
    this.interrupts.push(...site.interrupts);
    this.#done.set(node, {
      value: site.value(worst(code, site.s, context)), lineage: site.result,
    });
  }

  #group({ partitionBy, keys }: BoundStateful, values: readonly Value[]): Group {
    if (partitionBy.length === 0) return { g: null, keys: 1, table: null };
    const id = JSON.stringify([keys, ...values.map((v) => [v.value, v.state])]);
    let table = this.#tables.get(id);
    if (table === undefined) {
      const name = `keys${this.#tables.size}`;
      table = { name, g: new KeyTable(this.#code, name, keys).find(values) };
      this.#tables.set(id, table);
    }
    return { g: table.g, keys, table: table.name };
  }

  #addAlarm({ args, partitionBy }: BoundStateful, field: string, { table }: Group): void {
    const name = args[3]!;
    this.alarms.push({
      field, name: name.kind === "literal" ? String(name.value) : "",
      keys: table === null ? null : { table, parts: partitionBy.map(({ type }) => type) },
    });
  }

  /** The row's own lineage, and that of the newest values and calls that a call reads. */
  #inputOf(node: BoundStateful): Lineage {
    let { oldest, flags } = this.#own;
    // Time uncertainty is of the row itself; that a row is unfit stays with what it made.
    flags = this.#code.define("made_flags", `${flags} & ${UNFIT_FLAGS}`);
    const used = new Set<Lineage>();
    walk(node, (n) => {
      if (n === node || this.#input.find(n) !== undefined) return n === node;
      const newest = n.kind === "newest"
        ? this.#newest.used.find(({ index }) => index === n.index) : undefined;
      if (newest !== undefined) used.add({ oldest: newest.time, flags: newest.flags });
      if (n.kind === "stateful") used.add(this.#done.get(n)!.lineage);
      return n.kind !== "stateful";
    });
    for (const lineage of used) {
      flags = this.#code.define("made_flags",
        `${flags} | ${lineage.flags} & ${UNFIT_FLAGS}`);
      if (oldest !== null) oldest = this.#older(oldest, lineage.oldest!);
    }
    return { oldest, flags };
  }

  /** Time 0 is of a newest value that is not there: nothing was used. */
  #older(a: string, b: string): string {
    return this.#code.define("oldest", `${b} !== 0 & ${b} < ${a} ? ${b} : ${a}`);
  }

  /** Results and copied columns into the output row, then the text of the whole. */
  finish(
    results: readonly { readonly spec: ColumnSpec; readonly node: BoundStateful }[],
    passes: readonly ColumnSpec[],
  ): string {
    const code = this.#code;
    for (const spec of passes) store(code, spec, this.#row.column(spec.name), "w");
    for (const { spec, node } of results) store(code, spec, this.#done.get(node)!.value, "w");
    this.#header();
    const mask = code.param({ of: "input", part: "mask" }, "mask");
    const outMask = code.param({ of: "output", part: "mask" }, "out_mask");
    const lines = code.take();
    return `function stateful(p, from, to, head, time) {
${indent(code.takePrologue(), "  ")}
  const n = to - from | 0;
  let w = head & ${outMask};
  for (let j = 0; j < n; j = j + 1 | 0) {
    const r = from + j & ${mask};
${indent(lines, "    ")}
    w = w + 1 & ${outMask};
  }
${indent(code.takeEpilogue(), "  ")}
  return n;
}`;
  }

  #header(): void {
    const code = this.#code;
    const place = (of: "input" | "output", part: "time" | "source" | "flags"): string =>
      of === "input" ? `${code.param({ of, part }, `in_${part}`)} + r | 0`
        : `${code.param({ of, part }, `out_${part}`)} + w | 0`;
    const made = [...this.#done.values()].map(({ lineage }) => lineage);
    const used = [...made, ...this.#newest.used.map((n): Lineage =>
      ({ flags: n.flags, oldest: n.time }))];
    code.line(`F[${place("output", "time")}] = ${this.#time};`);
    code.line(`F[${place("output", "source")}] = F[${place("input", "source")}];`);
    code.line(`U[${place("output", "flags")}] = ` +
      `${[this.#own.flags, ...used.map((l) => l.flags)].join(" | ")};`);
    if (this.#own.oldest === null) return;
    const oldest = used.reduce((a, l) => this.#older(a, l.oldest!), this.#own.oldest);
    store(code, this.#input.oldest!, { kind: "time", value: oldest, state: "0" }, "w");
  }
}
