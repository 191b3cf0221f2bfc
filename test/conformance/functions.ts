import type { ColumnSpec } from "../../src/ring.ts";
import { parseQuery } from "../../src/sql/parser.ts";
import { bindSelect } from "../../src/sql/bind.ts";
import { knownFunctions } from "../../src/sql/functions.ts";
import { aggregate } from "../evaluate/aggregate.ts";
import { evaluateQuery } from "../evaluate/evaluate.ts";
import {
  type Case, catalogOf, cellOf, column, columnsOf, compare, isError, type Json, jsonOf, kindOf,
  type Outcome, passed, refused, rowOf, shownOf, unsupported,
} from "./vectors.ts";

export function runFunction(c: Case): Outcome {
  if (c.kind === "scalar") return runScalar(c.fn as string, c.args as Json[], c.expect as Json);
  if (c.kind === "aggregate") {
    return runAggregate(c.fn as string, c.args as Json[][], c.expect as Json);
  }
  if (c.kind === "analytic") return runAnalytic(c.fn as string, c.steps as unknown as Step[]);
  if (c.kind === "hit") return runHits(c.fn as string, c.steps as unknown as Hit[]);
  return unsupported(`${c.kind} functions`);
}

interface Hit {
  readonly hit: boolean;
  readonly at: number;
  readonly expect: Json;
}

/** What a clause knows before a row that it lets pass; a row that it does not changes nothing. */
function runHits(fn: string, steps: readonly Hit[]): Outcome {
  const sql = fn.startsWith("last_agg_")
    ? `SELECT count(*) AS n, ${fn}() AS x FROM s GROUP BY COUNTWINDOW(1) HAVING count(*) > 0`
    : `SELECT ${fn}() AS x FROM s WHERE h`;
  const columns = new Map([["h", column("h", "bool")]]);
  const query = bindSelect(sql, parseQuery(sql), catalogOf(columns));
  const outcomes = steps.map((step, i) => {
    const rows = [...steps.slice(0, i).filter(({ hit }) => hit), step]
      .map(({ at }) => rowOf({ h: true }, columns, at));
    const last = evaluateQuery(query, rows).rows.at(-1)!;
    return compare(jsonOf(last.cells.get("x")!, "int53"), step.expect);
  });
  return outcomes.find(({ kind }) => kind !== "passed") ?? passed;
}

/** SQL of an argument that must be written out, and of NULL; null: it comes as a column. */
function literal(fn: string, index: number, value: Json): string | null {
  if (value === null) return "NULL";
  const letter = knownFunctions.get(fn)?.parameters.replace("?", "")[index];
  if (letter !== "T" && letter !== "B") return null;
  return typeof value === "string" ? `'${value}'` : typeof value === "boolean" ? String(value)
    : "1";
}

export function runScalar(fn: string, args: readonly Json[], expected: Json): Outcome {
  const columns = new Map<string, ColumnSpec>();
  const values: Record<string, Json> = {};
  const texts = args.map((value, i) => {
    const written = literal(fn, i, value);
    if (written !== null) return written;
    columns.set(`a${i}`, column(`a${i}`, kindOf(value)!));
    values[`a${i}`] = value;
    return `a${i}`;
  });
  const sql = `SELECT ${fn}(${texts.join(", ")}) AS x FROM s`;
  try {
    const query = bindSelect(sql, parseQuery(sql), catalogOf(columns));
    const { rows } = evaluateQuery(query, [rowOf(values, columns)]);
    // Items that are no objects stand under the name of the column.
    if (query.expand !== null) {
      return compare(rows.map((row) => {
        const shown = Object.fromEntries(shownOf(query, row));
        return Object.keys(shown).length === 1 && "x" in shown ? shown["x"]! : shown;
      }), expected);
    }
    return compare(jsonOf(rows[0]!.cells.get("x")!, query.select[0]!.expr.type.kind), expected);
  } catch (thrown) {
    return refused(thrown, expected);
  }
}

/** Each call with its own prefix: what differs from the row before, under the columns' names. */
function runChanged(steps: readonly Step[]): Outcome {
  const names = steps[0]!.columns!;
  const values = steps.map(({ args }) =>
    Object.fromEntries(names.map((name, i) => [name, args[i + 2]!])));
  const columns = columnsOf(values);
  const rows = values.map((value, i) => rowOf(value, columns, i));
  const shown = steps.map(({ args: [prefix, ignoreNull] }, i) => {
    const sql = `SELECT changed_cols('${String(prefix)}', ${String(ignoreNull)}, ` +
      `${names.join(", ")}) FROM s`;
    const query = bindSelect(sql, parseQuery(sql), catalogOf(columns));
    const row = evaluateQuery(query, rows.slice(0, i + 1)).rows.at(-1)!;
    const known = shownOf(query, row).filter(([, value]) => value !== null);
    return known.length === 0 ? null : Object.fromEntries(known);
  });
  return compare(shown, steps.map((step) => step.expect));
}

interface Step {
  /** Of `changed_cols`: the names of the arguments from the third on. */
  readonly columns?: readonly string[];
  readonly args: readonly Json[];
  readonly when?: boolean;
  readonly partition?: string;
  readonly expect: Json;
}

/** Calls of one call site: whole numbers and floats of a column meet as floats. */
function runAnalytic(fn: string, steps: readonly Step[]): Outcome {
  if (fn === "changed_cols") return runChanged(steps);
  const refusals = steps.filter((step) => isError(step.expect));
  const rest = steps.filter((step) => !isError(step.expect));
  for (const step of refusals) {
    const { args } = step;
    const outcome = runCalls(fn, [step], args.map((arg) => new Set([kindOf(arg) ?? "float64"])));
    if (outcome.kind !== "passed") return outcome;
  }
  const kinds = rest[0]!.args.map((_, i) =>
    new Set(rest.map((step) => kindOf(step.args[i]!)).filter((kind) => kind !== null)));
  return runCalls(fn, rest, kinds);
}

function runCalls(
  fn: string, steps: readonly Step[], kinds: readonly Set<ColumnSpec["kind"]>[],
): Outcome {
  const columns = new Map([["w", column("w", "bool")], ["p", column("p", "text")]]);
  const parameters = knownFunctions.get(fn)!.parameters.replace("?", "");
  const texts: string[] = [];
  for (const [i, found] of kinds.entries()) {
    const numbers = [...found].every((kind) => kind === "int53" || kind === "float64");
    const first = steps[0]!.args[i]!;
    const written = "uB".includes(parameters[i] ?? "*");
    const kind = found.size > 1 ? (numbers ? "float64" : "dyn") : [...found][0]!;
    if (!written) columns.set(`a${i}`, column(`a${i}`, kind));
    texts.push(!written ? `a${i}` : typeof first === "object" && first !== null
      ? String((first as { $int: string }).$int) : String(first));
  }
  const sql = `SELECT ${fn}(${texts.join(", ")}) OVER (PARTITION BY p WHEN w) AS x FROM s`;
  try {
    const query = bindSelect(sql, parseQuery(sql), catalogOf(columns));
    const rows = steps.map(({ args, when, partition }) => rowOf({
      ...Object.fromEntries(args.map((arg, i) => [`a${i}`, arg])), w: when!, p: partition!,
    }, columns));
    const found = evaluateQuery(query, rows).rows.map((row) =>
      jsonOf(row.cells.get("x")!, query.select[0]!.expr.type.kind));
    return compare(found, steps.map((step) => step.expect));
  } catch (thrown) {
    return refused(thrown, steps[0]!.expect);
  }
}
/** SQL of an argument that is one for all rows; of no rows any will do. */
const constant = (fn: string, index: number, value: Json | undefined): string =>
  (value === undefined ? "1" : literal(fn, index, value) ?? JSON.stringify(value));

function runAggregate(fn: string, args: readonly Json[][], expected: Json): Outcome {
  const [values, ...constants] = args;
  const kinds = new Set(values!.map(kindOf).filter((kind) => kind !== null));
  const kind = kinds.size > 1 ? "dyn" : [...kinds][0] ?? "float64";
  const rest = constants.map((list, i) =>
    `, ${constant(fn, i + 1, list[0])}`);
  const sql = `SELECT ${fn}(a${rest.join("")}) AS x FROM s GROUP BY COUNTWINDOW(1)`;
  try {
    const query = bindSelect(sql, parseQuery(sql), catalogOf(new Map([["a", column("a", kind)]])));
    const spec = query.aggregates[0]!;
    return compare(jsonOf(aggregate(spec, [values!.map((v) => cellOf(v, kind))],
      values!.length, false),
      spec.type.kind), expected);
  } catch (thrown) {
    return refused(thrown, expected);
  }
}
