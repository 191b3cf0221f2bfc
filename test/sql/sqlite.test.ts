import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { assert, createRandom, type Random } from "../../src/base.ts";
import { BAD } from "../../src/ring.ts";
import { compile } from "../../src/sql.ts";
import type { Cell, Row } from "../evaluate/evaluate.ts";
import { catalog, Machine } from "./joined.ts";

/**
 * A third oracle: SQLite, for queries over the rows of one window whose meaning is the same. What
 * means something else is left out by construction, here and only here:
 *
 * - division by zero, and what grows past its type, is an error cell here: divisors are literals,
 *   whole numbers in arithmetic are small
 * - `avg` of whole numbers is a whole number here
 * - a window without rows gives nothing here, where SQLite gives one row of NULL
 * - a comparison with NULL is FALSE here, `length` of NULL 0: `{x = y}` is read as `(x = y)` here
 *   and as `coalesce(x = y, 0)` there; AND and OR take NULL for FALSE, too
 * - NULL comes last in an order here, up or down
 * - a cell that is an error poisons what it is used in; here no input is one, but some are bad,
 *   which reads as NULL
 * - SQLite has one zero in a column, and LIKE without regard to case, which is switched off
 */
const count = Number(process.env["SOAK_COUNT"] ?? 400);
const seed = Number(process.env["SOAK_SEED"] ?? Date.now() % 1_000_000_000);

type Kind = "whole" | "float" | "text" | "bool" | "long";

/** What one column of the select list is, and what its floats may differ by. */
interface Field {
  readonly sql: string;
  /** An expression of SQLite: Σ|x| of a sum of floats, else nothing. */
  readonly size: string | null;
}

interface Query {
  readonly ours: string;
  readonly theirs: string;
  /** Rows come in an order that says where each stands. */
  readonly ordered: boolean;
  /** Columns of the select list; `theirs` gives the sizes of `sized` after them. */
  readonly fields: readonly Field[];
}

class Queries {
  readonly #r: Random;
  #inputs: readonly string[] = ["a"];

  constructor(random: Random) {
    this.#r = random;
  }

  /** For windows over `rows` rows of stream a. */
  query(rows: number): Query {
    const r = this.#r;
    const from = `FROM ${this.#from()}${r.chance(0.6) ? ` WHERE ${this.#value("bool", 2)}` : ""}`;
    const isJoined = this.#inputs.length > 1;
    const window = isJoined || rows === 0 || r.chance(0.7) ? "TUMBLINGWINDOW(ms, 200)"
      : `COUNTWINDOW(${rows})`;
    if (r.chance(0.4)) {
      const fields = this.#list(() => ({ sql: this.#value(this.#kind(), 2), size: null }));
      const noWindow = !isJoined && r.chance(0.4);
      return this.#whole(fields, from, "", noWindow ? null : window, "");
    }
    return this.#grouped(from, window);
  }

  #grouped(from: string, window: string): Query {
    const r = this.#r;
    const keys = Array.from({ length: r.pick([0, 1, 1, 2]) }, () => r.chance(0.8)
      ? this.#column(r.pick(["k", "t", "yes", "big", "v"])) : `(${this.#column("k")} % 3)`);
    const fields = [...keys.map((sql) => ({ sql, size: null })),
      ...this.#list(() => this.#aggregate())];
    const test = r.pick(["count(*) > 1", `count(${this.#column("v")}) >= 2`,
      `max(${this.#column("k")}) > 2`, `min(${this.#column("t")}) < 'b'`]);
    const having = r.chance(0.3) ? ` HAVING ${test}`
      : "";
    return this.#whole(fields, from, keys.join(", "), window, having);
  }

  /** Both texts of a query; without a window it has no order. */
  #whole(fields: readonly Field[], from: string, keys: string, window: string | null,
    having: string): Query {
    const r = this.#r;
    const isGrouped = keys !== "" || fields.some(({ sql }) => /^(?:count|sum|avg|min|max)\(/
      .test(sql));
    const list = fields.map(({ sql }, i) => `${sql} AS c${i}`).join(", ");
    const isExact = fields.every(({ size }) => size === null);
    const distinct = window !== null && isExact && r.chance(0.2) ? "DISTINCT " : "";
    const ordered = window !== null && isExact && r.chance(0.5);
    // By all columns: what is left are equal rows.
    const first = r.below(fields.length);
    const by = fields.map((_, i) => `c${(i + first) % fields.length}${r.pick(["", " DESC"])}`);
    const limit = r.chance(0.4) ? ` LIMIT ${r.pick(["1", "3", "10"])}` : "";
    const arranged = (nulls: string): string =>
      (ordered ? ` ORDER BY ${by.map((one) => one + nulls).join(", ")}${limit}` : "");
    const group = [keys, window].filter(Boolean).join(", ");
    const ours = `SELECT ${distinct}${list} ${from}${group === "" ? "" : ` GROUP BY ${group}`}` +
      having + arranged("");
    const sizes = fields.flatMap(({ size }, i) => (size === null ? [] : [`${size} AS s${i}`]));
    const empty = isGrouped && keys === "" ? `${having === "" ? " HAVING" : " AND"} count(*) > 0`
      : "";
    const theirs = `SELECT ${distinct}${[list, ...sizes].join(", ")} ${from}` +
      `${keys === "" ? "" : ` GROUP BY ${keys}`}${having}${empty}${arranged(" NULLS LAST")}`;
    return { ours: ours.replaceAll("{", "(").replaceAll("}", ")"), ordered, fields,
      theirs: theirs.replaceAll("{", "coalesce(").replaceAll("}", ", 0)") };
  }

  #from(): string {
    const r = this.#r;
    const n = r.pick([1, 1, 1, 2, 2, 3]);
    this.#inputs = ["a", "b", "c"].slice(0, n);
    return this.#inputs.map((name, i) => {
      if (i === 0) return name;
      const kind = r.pick(["INNER ", "LEFT ", "RIGHT ", "FULL ", "CROSS "]);
      if (kind === "CROSS ") return `CROSS JOIN ${name}`;
      const key = r.pick(["k", "t", "big"]), before = r.pick(this.#inputs.slice(0, i));
      const more = r.chance(0.3) ? ` AND ${name}.v ${r.pick(["<", ">=", "!="])} ${before}.v` : "";
      return `${kind}JOIN ${name} ON ${before}.${key} = ${name}.${key}${more}`;
    }).join(" ");
  }

  #list(one: () => Field): Field[] {
    return Array.from({ length: 1 + this.#r.below(3) }, one);
  }

  #kind(): Kind {
    return this.#r.pick(["whole", "float", "text", "bool", "long"]);
  }

  #column(name: string): string {
    return this.#inputs.length === 1 ? name : `${this.#r.pick(this.#inputs)}.${name}`;
  }

  #aggregate(): Field {
    const r = this.#r;
    const of = (kind: Kind): string => this.#value(kind, 1);
    return r.pick<() => Field>([
      () => ({ sql: "count(*)", size: null }),
      () => ({ sql: `count(${of(this.#kind())})`, size: null }),
      () => ({ sql: `${r.pick(["min", "max"])}(${of(r.pick(["whole", "float", "text", "long"]))})`,
        size: null }),
      () => ({ sql: `sum(${of("whole")})`, size: null }),
      () => {
        const x = of("float");
        return { sql: `${r.pick(["sum", "avg"])}(${x})`, size: `sum(abs(${x}))` };
      },
    ])();
  }

  #value(kind: Kind, depth: number): string {
    const r = this.#r;
    if (depth <= 0 || r.chance(0.3)) return this.#leaf(kind);
    const of = (k: Kind): string => this.#value(k, depth - 1);
    if (r.chance(0.15)) {
      return `CASE WHEN ${of("bool")} THEN ${of(kind)}` +
        `${r.chance(0.6) ? ` ELSE ${of(kind)}` : ""} END`;
    }
    if (r.chance(0.08)) return `coalesce(${of(kind)}, ${of(kind)})`;
    switch (kind) {
      case "whole": return r.pick([
        () => `(${of("whole")} ${r.pick(["+", "-", "*", "&", "|"])} ${of("whole")})`,
        () => `(${of("whole")} ${r.pick(["/", "%"])} ${r.pick(["3", "-2", "7"])})`,
        () => `-(${of("whole")})`, () => `abs(${of("whole")})`, () => `{length(${of("text")})}`,
      ])();
      case "float": return r.pick([
        () => `(${of("float")} ${r.pick(["+", "-", "*"])} ${of(r.pick(["float", "whole"]))})`,
        () => `(${of("float")} / ${r.pick(["0.3", "-2.0", "7"])})`,
        () => `-(${of("float")})`, () => `abs(${of("float")})`,
      ])();
      case "bool": return this.#condition(depth - 1);
      default: return this.#leaf(kind);
    }
  }

  #leaf(kind: Kind): string {
    const r = this.#r;
    switch (kind) {
      case "whole": return r.chance(0.75) ? this.#column("k") : r.pick(["0", "1", "-3", "7"]);
      case "float": return r.chance(0.75) ? this.#column("v") : r.pick(["0.0", "1.5", "-0.1"]);
      case "text": return r.chance(0.75) ? this.#column("t") : r.pick(["''", "'a'", "'ab'"]);
      case "bool": return r.chance(0.9) ? this.#column("yes") : r.pick(["TRUE", "FALSE"]);
      case "long": return r.chance(0.9) ? this.#column("big") : "9223372036854775807";
    }
  }

  #condition(depth: number): string {
    const r = this.#r;
    const kind = r.pick<Kind>(["whole", "float", "text", "long"]);
    const of = (k: Kind): string => this.#value(k, depth);
    const other = kind === "float" ? r.pick<Kind>(["float", "whole"]) : kind;
    const not = r.pick(["", "NOT "]);
    return r.pick([
      () => `({${of("bool")}} ${r.pick(["AND", "OR"])} {${of("bool")}})`,
      () => `(NOT ${of("bool")})`,
      () => `{${of(kind)} ${r.pick(["=", "!=", "<", "<=", ">", ">="])} ${of(other)}}`,
      () => `{${of(kind)} ${not}IN (${of(kind)}, ${of(kind)})}`,
      () => `{${of(kind)} ${not}BETWEEN ${of(kind)} AND ${of(kind)}}`,
      () => `{${of("text")} ${not}LIKE ${r.pick(["'a%'", "'%b'", "'_'", "'%'", "'a_%'"])}}`,
      () => `(${of(kind)} IS ${not}NULL)`,
    ])();
  }
}

const values: Readonly<Record<string, (r: Random) => Cell["value"]>> = {
  k: (r) => r.below(r.pick([4, 40])) - 2,
  v: (r) => r.pick([0, 1, 2.5, -1, 0.1, 0.2, 1e15, -(2 ** 53), 5e-324, r.next() * 100]),
  t: (r) => r.pick(["", "a", "ab", "b", "B", "Öl", "a_%"]),
  big: (r) => r.pick([0n, 1n, -1n, 5n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)]),
  yes: (r) => r.chance(0.5),
};

/** Rows of one window, by the stream that each is of. */
function randomRows(r: Random): Row[] {
  const goodChance = r.pick([0.6, 0.9]), most = r.pick([5, 20, 60]);
  return Array.from({ length: r.below(most) }, (_, i) => {
    const cells = new Map(Object.entries(values).map(([name, value]) => [name, { value: value(r),
      state: r.chance(goodChance) ? 0 : r.pick([1, 63, 64, BAD.timeout, 192, 193]) }]));
    return { time: 1_700_000_000_000 + i, flags: 0, cells };
  });
}

/** The one form of what both give: NULL, whole numbers as bigint, floats, texts. */
type Plain = null | bigint | number | string;

function plainOf({ value, state }: Cell, kind: string): Plain {
  assert(state < 194, `an error cell, ${state}, where there should be none`);
  if (state >= 64) return null;
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (typeof value === "number") return kind === "int53" ? BigInt(value) : value + 0;
  return value as Plain;
}

function runOurs(sql: string, rows: readonly { readonly input: number; readonly row: Row }[],
  r: Random): Plain[][] {
  const program = compile(sql, catalog);
  const machine = new Machine(program, new Map(), r);
  const wide = program.inputs.length;
  for (const { input, row } of rows.filter((one) => one.input < wide)) {
    machine.feed({ ...row, parts: Array.from({ length: wide }, (_, i) =>
      (i === input ? row.cells : undefined)) }, row.time);
  }
  machine.run(1_700_000_001_000);
  const kinds = program.output.map(({ kind }) => kind);
  return machine.rows.map(({ cells }) => [...cells.values()].map((cell, i) =>
    plainOf(cell, kinds[i]!)));
}

const database = new Database(":memory:", { safeIntegers: true });
database.run("PRAGMA case_sensitive_like = ON");
for (const name of ["a", "b", "c"]) {
  database.run(`CREATE TABLE ${name} (k INTEGER, v REAL, t TEXT, big INTEGER, yes INTEGER)`);
}
const inserts = ["a", "b", "c"].map((name) =>
  database.prepare(`INSERT INTO ${name} VALUES (?, ?, ?, ?, ?)`));

function runTheirs(sql: string,
  rows: readonly { readonly input: number; readonly row: Row }[]): Plain[][] {
  for (const name of ["a", "b", "c"]) database.run(`DELETE FROM ${name}`);
  for (const { input, row } of rows) {
    inserts[input]!.run(...["k", "v", "t", "big", "yes"].map((name) => {
      const { value, state } = row.cells.get(name)!;
      if (state >= 64) return null;
      return typeof value === "boolean" ? Number(value) : value as Plain;
    }));
  }
  return (database.query(sql).values() as Plain[][]).map((row) =>
    row.map((value) => (typeof value === "number" ? value + 0 : value)));
}

/** Whether two values are one; a sum of floats may differ by 1e-12 of its size. */
function equal(ours: Plain, theirs: Plain, size: Plain | undefined): boolean {
  if (typeof ours === "number" && typeof theirs === "number") {
    return ours === theirs || Math.abs(ours - theirs) <= 1e-12 * Number(size ?? 0);
  }
  // A literal of SQLite, or what CASE makes of one, has no declared type.
  if (typeof ours === "number" && typeof theirs === "bigint") return ours === Number(theirs);
  return ours === theirs;
}

/** By the columns that are exact: in a group's row there are its keys. */
const order = (fields: readonly Field[]) => (a: readonly Plain[], b: readonly Plain[]): number => {
  const text = (row: readonly Plain[]): string =>
    fields.map(({ size }, i) => (size === null ? String(row[i]) : "")).join("|");
  return text(a) < text(b) ? -1 : 1;
};

function compareOne(caseSeed: number): number {
  const r = createRandom(caseSeed);
  const some = randomRows(r).map((row) => ({ input: r.pick([0, 0, 1, 2]), row }));
  const query = new Queries(r).query(some.filter(({ input }) => input === 0).length);
  const taken = [0, 0, 0];
  // Three streams of more rows may have more pairs than a window has room for.
  const inputs = query.ours.split(" JOIN ").length < 3 ? some
    : some.filter(({ input }) => ++taken[input]! <= 15);
  const { fields, ordered } = query;
  const ours = runOurs(query.ours, inputs, r), theirs = runTheirs(query.theirs, inputs);
  if (!ordered) for (const rows of [ours, theirs]) rows.sort(order(fields));
  const sized = fields.flatMap(({ size }, i) => (size === null ? [] : [i]));
  const same = ours.length === theirs.length && ours.every((row, i) =>
    row.every((value, j) => equal(value, theirs[i]![j]!,
      sized.includes(j) ? theirs[i]![fields.length + sized.indexOf(j)] : undefined)));
  const title = `seed ${caseSeed}: ${query.ours}\n  SQLite: ${query.theirs}`;
  if (!same) {
    const rows = theirs.map((row) => row.slice(0, fields.length));
    expect({ title, rows: ours }).toEqual({ title, rows });
  }
  return ours.length;
}

test(`SQLite gives the same for ${count} random queries, from seed ${seed}`, () => {
  let rows = 0;
  for (let i = 0; i < count; i++) rows += compareOne(seed + i);
  console.log(`${count} queries compared with SQLite: ${rows} rows`);
  expect(rows).toBeGreaterThan(count);
}, 7_200_000);
