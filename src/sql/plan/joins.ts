import { limits, nextPowerOfTwo } from "../../base.ts";
import { type ColumnSpec, Ring } from "../../ring.ts";
import { type Bound, type BoundAsof, type BoundJoin, windowReads } from "../bound.ts";
import type { JoinSide, JoinSpec } from "../emit/joined.ts";
import { joinedStage } from "../emit/kept.ts";
import { Layout } from "../emit/params.ts";
import { scanStage } from "../scan.ts";
import { notInThisVersion, SqlFault, type Span } from "../fault.ts";
import type { AsofPlan, LookupPlan } from "../program.ts";
import { conjunction, conjuncts } from "../rewrite/conjuncts.ts";
import { contains, inputsOf, walk } from "../rewrite/tree.ts";
import { bool, int53, nullOf } from "../types.ts";
import { oldest, from_column, joinedName } from "./chain.ts";
import { WindowChain } from "./windows.ts";

/** Of streams in a window: neither a table nor ASOF. */
export const isWindowed = ({ key, scan, asof }: BoundJoin): boolean =>
  key === null && !scan && asof === null;

/** Plans joins: in a window, with tables, with the newest row of another stream. */
export abstract class JoinChain extends WindowChain {
  /** HAVING and the select list. */
  protected abstract give(): void;

  protected refuse(): void {
    const { sql, inputs, joins, stateful } = this.query;
    const fault = (span: Span, sentence: string): SqlFault =>
      new SqlFault("join", sentence, sql, span);
    if (inputs[0]!.table !== null) {
      throw fault(inputs[0]!.span,
        `${inputs[0]!.name} is asked by its key: it stands after JOIN, a stream after FROM`);
    }
    const streams = joins.filter(isWindowed);
    const beside = joins.find((join) => isWindowed(join) || join.asof !== null);
    if (beside !== undefined && this.before !== null) {
      throw notInThisVersion(sql, beside.span, "A stream that is joined with a query in FROM; " +
        "the query can be a rule of its own, which is joined by name");
    }
    if (streams.length > 0) this.#refuseJoined(streams);
    const scan = joins.find((join) => join.scan);
    if (scan !== undefined && joins.some((join) => !join.scan)) {
      throw notInThisVersion(sql, scan.span, "A table that is read as a whole beside another " +
        "kind of join; put it into a rule of its own, before or after");
    }
    for (const { kind, key, scan: whole, on, input, span } of joins) {
      if (whole && (kind === "right" || kind === "full")) {
        throw fault(span, "A table is joined by INNER, LEFT or CROSS JOIN: of itself it gives " +
          "no rows there");
      }
      const late = whole && on !== null ? inputsOf(on).filter((i) => i > input) : [];
      if (late.length > 0) {
        throw fault(on!.span, `ON reads ${inputs[late[0]!]!.alias}, which is joined only after it`);
      }
      if (key === null) continue;
      if (kind === "inner" || kind === "left") continue;
      throw fault(span, "A table that is asked by its key is joined by INNER or LEFT JOIN: " +
        "nobody knows its other rows");
    }
    const drawn = stateful.find(({ fn }) => fn === "$draw");
    if (scan !== undefined && drawn !== undefined) {
      throw notInThisVersion(sql, drawn.span, "A function of chance beside a table that is read " +
        "as a whole, whose rows would all get the same; a rule before this one can draw it");
    }
    for (const { args, partitionBy, when, span } of stateful) {
      const read = [...args, ...partitionBy, ...(when === null ? [] : [when])].flatMap(inputsOf);
      if (read.some((input) => inputs[input]!.table !== null)) {
        throw notInThisVersion(sql, span, "A function with state over the columns of a table");
      }
    }
  }

  #refuseJoined(streams: readonly BoundJoin[]): void {
    const { sql, window, joins, stateful, infers } = this.query;
    const { span } = streams[0]!;
    if (window === null) {
      throw new SqlFault("join-window", "Streams are joined in a window: GROUP BY " +
        "TUMBLINGWINDOW(ss, 10) or another; for the newest row of a stream there is ASOF JOIN",
        sql, span);
    }
    if (window.kind === "state" && window.partitionBy.length > 0) {
      throw notInThisVersion(sql, window.span, "PARTITION BY of a window over several streams");
    }
    if (joins.length > streams.length) {
      throw notInThisVersion(sql, span, "Another kind of join beside that of streams in a " +
        "window; it goes over a query in FROM that joins the streams, or into a rule of its own");
    }
    for (const { span: place } of [...stateful, ...infers]) {
      throw notInThisVersion(sql, place, "A function with state or a model beside a join of " +
        "streams; it goes over a query in FROM that joins them, or into a rule of its own");
    }
    for (const { on, input } of streams) {
      const late = on === null ? [] : inputsOf(on).filter((i) => i > input);
      if (late.length > 0) {
        throw new SqlFault("join", `ON reads ${this.query.inputs[late[0]!]!.alias}, which is ` +
          "joined only after it", sql, on!.span);
      }
    }
  }

  /** What joins read of the inputs before them. */
  protected joining(from = 0): Bound[] {
    return this.query.joins.slice(from).flatMap(({ key, on }) => [key, on])
      .filter((node) => node !== null);
  }

  /** Streams whose newest rows stand beside those of the others: before all that looks at rows. */
  protected asof(later: readonly Bound[]): void {
    const open = this.query.joins.filter(({ asof }) => asof !== null);
    open.forEach(({ kind, input, asof }, i) => {
      const keys = open.slice(i).flatMap((join) =>
        join.asof!.keys.flatMap(({ left, right }) => [left, right]));
      this.later = [...later, ...keys, ...this.joining()];
      const own = (name: string): boolean => name.startsWith(`$${input}.`);
      const columnFor = (side: string, n: number, expr: Bound) =>
        ({ spec: { name: `$${side}${n}`, kind: expr.type.kind, slot: expr.type.slot }, expr });
      const pairs = asof!.keys.map(({ left, right }, n) => {
        const slot = Math.max(left.type.slot, right.type.slot);
        const wide = (field: ReturnType<typeof columnFor>) =>
          ({ ...field, spec: { ...field.spec, slot } });
        return [wide(columnFor("left", n, left)), wide(columnFor("right", n, right))] as const;
      });
      this.rows([], [...pairs.flat(), { spec: from_column, expr: from_column.name },
        ...this.passes()]);
      const columns = this.columns.filter(({ name }) => own(name));
      this.later = [...later, ...this.joining(),
        ...open.slice(i + 1).flatMap((join) => join.asof!.keys.flatMap((k) => [k.left, k.right]))];
      const passes = [...(i + 1 < open.length ? [from_column] : []),
        ...this.passes().map(({ spec }) => spec).filter(({ name }) => !own(name))];
      const stage = asofStage(this.columns, { kind, input, asof: asof!, columns, passes,
        keys: pairs.map(([left, right]) => ({ left: left.spec, right: right.spec })),
        oldest: this.lineage ? oldest : null, strict: this.strict });
      this.stages.push(stage);
      this.columns = stage.output;
    });
  }

  /** A request ring and a result ring for each table; tests that need no table come first. */
  protected lookups(later: readonly Bound[], testing: boolean): void {
    this.query.joins.forEach((join, i) => {
      const { kind, input, on, key } = join;
      if (join.scan) return this.#scan(join, [...later, ...this.joining(i + 1)], testing);
      if (key === null) return;
      const found: Bound = { kind: "column", input, name: "$found", type: bool, span: join.span };
      const matched = [found, ...conjuncts(on)];
      this.later = [...later, ...matched, ...this.joining(i + 1)];
      const ready = testing ? this.tests.filter((t) => this.#isReady(t)) : [];
      this.tests = this.tests.filter((t) => !ready.includes(t));
      const passes = this.passes();
      const spec = { name: "$key", kind: key.type.kind, slot: key.type.slot };
      this.rows(ready, [{ spec, expr: key }, ...passes]);
      this.#answers(input, passes.map((p) => p.spec));
      this.later = [...later, ...this.joining(i + 1)];
      if (kind === "left") this.#unmatched(input, on, matched);
      else if (testing) this.tests.unshift(...matched);
      else this.rows(matched, this.passes());
    });
  }

  /** `later` is what reads its rows. */
  #scan({ kind, input, on }: BoundJoin, later: readonly Bound[], testing: boolean): void {
    this.later = [...later, ...conjuncts(on)];
    const ready = testing ? this.tests.filter((t) => this.#isReady(t)) : [];
    this.tests = this.tests.filter((t) => !ready.includes(t));
    // Rows of a stream have no age yet.
    const aged = !this.lineage || this.columns.some(({ name }) => name === oldest.name);
    if (ready.length > 0 || !aged) this.rows(ready, this.passes());
    this.later = [...later];
    const { table, columns } = this.query.inputs[input]!;
    const passed = [...this.passes().map(({ spec }) => spec), ...(this.lineage ? [oldest] : [])];
    const stage = scanStage(table!.name, table!.rows, this.columns, {
      kind, on, newest: this.query.newest, rightRows: 0, strict: this.strict, oldest: null,
      left: { columns: this.columns, from: null }, right: { columns, from: null },
      find: (node) => node.kind === "column" && node.input === input
        ? { side: "right", name: node.name } : this.#beside(node),
      output: [
        ...passed.map((spec) => ({ spec, side: "left" as const, name: spec.name })),
        ...columns.map((c) => ({ spec: { ...c, name: joinedName(input, c.name) },
          side: "right" as const, name: c.name })),
      ],
    });
    this.stages.push(stage);
    this.columns = stage.output;
  }

  /** Where a node stands that is not of the table which is joined. */
  #beside(node: Bound): ReturnType<JoinSpec["find"]> {
    const name = this.find(node) ?? (node.kind === "column" ? node.name : undefined);
    return name === undefined ? null : { side: "left", name };
  }

  #answers(input: number, passed: readonly ColumnSpec[]): void {
    const { table, columns } = this.query.inputs[input]!;
    const named = (name: string): string => joinedName(input, name);
    const passes = this.lineage ? [...passed, oldest] : passed;
    const found: ColumnSpec = { name: named("$found"), kind: "bool", slot: 0 };
    const stage: LookupPlan = {
      kind: "lookup", table: table!.name, key: "$key", found: found.name, input: this.columns,
      columns: columns.map(({ name }) => ({ from: name, to: named(name) })),
      passes: passes.map((c) => c.name),
      output: [...passes, found, ...columns.map((c) => ({ ...c, name: named(c.name) }))],
      outputRows: 0, stateBytes: 0, text: "",
    };
    this.stages.push(stage);
    this.columns = stage.output;
  }

  /** LEFT JOIN with more than its key in ON: where that is not TRUE the table has no values. */
  #unmatched(input: number, on: Bound | null, matched: readonly Bound[]): void {
    if (on === null) return;
    const own = new Map(this.query.inputs[input]!.columns
      .map((c) => [joinedName(input, c.name), c]));
    this.rows([], this.passes().map(({ spec, expr }) => {
      const column = own.get(spec.name);
      if (column === undefined) return { spec, expr };
      const { span } = on, type = { kind: column.kind, slot: column.slot };
      const value: Bound = { kind: "column", input, name: column.name, type, span };
      const whens = [{ when: conjunction(matched)!, then: value }];
      return { spec, expr: { kind: "case", type, span, whens, otherwise: nullOf(type, span) } };
    }));
  }

  /** True if all that a node reads stands in the last ring. */
  #isReady(node: Bound): boolean {
    let ready = this.infersIn([node]).length === 0 && !contains(node, "hits");
    walk(node, (n) => {
      ready &&= n.kind !== "column" || n.input === 0 || this.find(n) !== undefined;
      return ready;
    });
    return ready;
  }

  /** Streams side by side in a window, whose rows are joined when it closes. */
  protected joinedWindow(filter: readonly Bound[]): void {
    const { window, aggregated, aggregates, having, joins } = this.query;
    const where = conjunction(this.tests);
    const folding = aggregated ? { ...this.folding(), where: null } : null;
    const read = aggregated ? [...folding!.keys.map((k) => k.expr),
      ...aggregates.flatMap(({ arg }) => (arg === null ? [] : [arg]))] : this.shown();
    const { rows, wanted } = this.keptRows(window!, limits.join_rows_max);
    this.later = [...read, ...joins.flatMap(({ on }) => (on === null ? [] : [on])),
      ...windowReads(window)];
    const passes = [{ spec: from_column, expr: from_column.name }, ...this.passes()];
    const marks = this.marks(), byEvents = this.byEvents;
    const stage = joinedStage(this.input(), {
      passes, folding, where,
      steps: (columns) => this.#joinSteps(columns, rows, where === null ? read : [...read, where]),
      input: (columns) => {
        this.columns = columns;
        return this.input();
      },
      columns: () => {
        this.later = read;
        this.tests = [];
        return this.passes();
      },
    }, { window: window!, before: this.#filterOf(filter), after: null, marks, rows, wanted,
      byEvents });
    this.stages.push(stage);
    this.columns = stage.output;
    folding?.keys.forEach(({ spec, expr }) => this.keys.set(expr, spec.name));
    this.tests = conjuncts(having);
    this.most = stage.fold.keys;
    this.later = this.shown();
    this.give();
  }

  /** A condition of FILTER looks at the rows of the input that it reads. */
  #filterOf(filter: readonly Bound[]): Bound | null {
    return conjunction(filter.map((test) => {
      const [input, ...others] = inputsOf(test);
      if (input === undefined) return test;
      if (others.length > 0) {
        throw notInThisVersion(this.query.sql, test.span, "FILTER over several streams at once");
      }
      const { span } = test, type = int53;
      const from: Bound = { kind: "column", input: 0, name: from_column.name, type, span };
      const literal: Bound = { kind: "literal", value: input, type, span };
      const other: Bound =
        { kind: "binary", op: "!=", left: from, right: literal, type: bool, span };
      return { kind: "binary", op: "or", left: other, right: test, type: bool, span };
    }));
  }

  /** `read` is what is read of the rows that all joins have made. */
  #joinSteps(
    window: readonly ColumnSpec[], rightRows: number, read: readonly Bound[],
  ): JoinSpec[] {
    const { joins, newest, inputs } = this.query;
    const inputOf = (name: string): number => Number(/^\$(\d+)\./.exec(name)?.[1] ?? 0);
    const own = window.filter(({ name }) => inputs[inputOf(name)]!.columns
      .some((c) => joinedName(inputOf(name), c.name) === name));
    let left: JoinSide = { columns: window, from: 0 };
    return joins.map(({ kind, input, on }, i) => {
      const names = new Set<string>();
      for (const node of [...read, ...this.joining(i + 1)]) this.reads(node, names, new Set());
      const needed = own.filter(({ name }) => inputOf(name) <= input && names.has(name));
      const output = needed.map((spec) => ({
        spec, name: spec.name,
        side: inputOf(spec.name) === input ? "right" as const : "left" as const,
      }));
      const spec: JoinSpec = {
        kind, on, newest, output, rightRows: nextPowerOfTwo(rightRows), left,
        right: { columns: window, from: input }, strict: this.strict,
        oldest: this.lineage ? oldest : null,
        find: (node) => node.kind !== "column" ? null : {
          side: node.input === input ? "right" : "left", name: joinedName(node.input, node.name),
        },
      };
      left = { from: null, columns: [...output.map((c) => c.spec), oldest] };
      return spec;
    });
  }
}

function asofStage(
  input: readonly ColumnSpec[],
  { kind, input: from, asof, columns, passes, keys, oldest: age, strict }: {
    readonly kind: string; readonly input: number; readonly asof: BoundAsof;
    readonly columns: readonly ColumnSpec[]; readonly passes: readonly ColumnSpec[];
    readonly keys: readonly { readonly left: ColumnSpec; readonly right: ColumnSpec }[];
    readonly oldest: ColumnSpec | null; readonly strict: boolean;
  },
): AsofPlan {
  const aged = age === null ? [] : [age];
  const rows = keys.length === 0 ? 2 : limits.partition_keys_default;
  const ring = Ring.layout("newest", [...keys.map((k) => k.right), ...columns, ...aged], rows);
  const state = new Layout();
  state.add("used", "F", 1);
  state.add("heads", "I", 2 * rows);
  state.add("next", "I", rows);
  state.add("rows", "U", ring.bytes);
  return {
    kind: "asof", from, left: kind === "left", tolerance_ms: asof.tolerance_ms, strict, ring, state,
    keys: keys.map(({ left, right }) => ({ left: left.name, right: right.name })),
    columns: columns.map((c) => c.name), passes: passes.map((c) => c.name),
    lineage: age !== null, input, output: [...passes, ...columns, ...aged], outputRows: 0,
    stateBytes: state.bytes, text: "",
  };
}
