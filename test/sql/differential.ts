import { assert, createRandom, type Random } from "../../src/base.ts";
import {
  Arena, BAD, type Block, type Column, type ColumnSpec, type Dyn, DynReader, DynWriter, ERROR, NULL,
  readCell, Ring, writeCell,
} from "../../src/ring.ts";
import {
  type Beginning, byEventTime, type Catalog, compile, type EventTime, instantiate,
  instantiateInfer, inTurn, type Program, type Stage, SqlFault, stateRanges,
} from "../../src/sql.ts";
import { expand } from "../../src/sql/arguments.ts";
import { bind } from "../../src/sql/bind.ts";
import { type BoundQuery, queriesIn } from "../../src/sql/bound.ts";
import { scalarFunctions, type ScalarFunction } from "../../src/sql/functions.ts";
import type { Model } from "../../src/infer.ts";
import { exactly } from "../evaluate/open.ts";
import { apart, withErrors } from "../evaluate/failures.ts";
import { type Cell, evaluateQuery, type Row, type World } from "../evaluate/evaluate.ts";
import { type Feature, featuresOf, nodesOf } from "./features.ts";
import { type Ordered, ordered } from "../evaluate/order.ts";

/** Random queries over random rows, run by generated code and by the slow reference. */

export const columns: readonly ColumnSpec[] = [
  { name: "a", kind: "float64", slot: 0 }, { name: "b", kind: "float64", slot: 0 },
  { name: "n", kind: "int53", slot: 0 }, { name: "m", kind: "int53", slot: 0 },
  { name: "big", kind: "int64", slot: 0 }, { name: "wide", kind: "int64", slot: 0 },
  { name: "yes", kind: "bool", slot: 0 }, { name: "no", kind: "bool", slot: 0 },
  { name: "t", kind: "text", slot: 16 }, { name: "u", kind: "text", slot: 8 },
  { name: "at", kind: "time", slot: 0 },
  { name: "d", kind: "dyn", slot: 24 }, { name: "e", kind: "dyn", slot: 24 },
  { name: "l", kind: "dyn", slot: 64 }, { name: "o", kind: "json", slot: 64 },
];
/** What a message says of itself. */
const meta: ColumnSpec = { name: "$meta", kind: "dyn", slot: 64 };
const tags: Readonly<Record<string, ColumnSpec>> = {
  x: { name: "x", kind: "float64", slot: 0 }, k: { name: "k", kind: "int53", slot: 0 },
};
const poll_ms = 100;
export const catalog: Catalog = {
  // As fast as its rows may come: what a full window loses is tested elsewhere.
  stream: (name) => (name === "s" ? { name, columns, interval_ms: 0.1, timed: true, meta }
    : name.startsWith("dev.") ? { name, columns: [tags[name.slice(4)]!], interval_ms: poll_ms }
      : undefined),
  match: () => [], device: (name) => name === "dev",
  tag: (device, tag) => (device === "dev" && tags[tag] !== undefined
    ? { stream: `dev.${tag}`, column: tag, interval_ms: poll_ms } : undefined),
  model: () => ({ inputs: 2, outputs: 2 }), names: () => [], self: "r",
};

type Kind = "float" | "whole" | "long" | "bool" | "text" | "bytes" | "time" | "open" | "list"
  | "object";

/** Kinds that are told apart only in the row. */
const openKinds: readonly Kind[] = ["open", "list", "object"];

/** Functions by the kind of their result, also those that the generator does not know by name. */
const functionsOf = (...results: ScalarFunction["result"][]): ScalarFunction[] =>
  [...new Set(scalarFunctions.values())].filter(({ name, result, constants, parameters, clock }) =>
    results.includes(result) && constants === undefined && clock === undefined &&
    !name.startsWith("$") && !/[fT*]/.test(parameters));
const functionsBy: Readonly<Record<Kind, readonly ScalarFunction[]>> = {
  float: functionsOf("float64", "same"), whole: functionsOf("int53"), long: [],
  bool: functionsOf("bool"), text: functionsOf("text"), bytes: functionsOf("bytes"),
  time: functionsOf("time"), open: functionsOf("dyn"), list: functionsOf("dyn"),
  object: functionsOf("dyn"),
};

/** Writes SQL of a wanted kind. */
class Queries {
  readonly #r: Random;
  /** What may stand in this place: a model, an aggregate. */
  readonly #infer: boolean;
  readonly #newest: boolean;
  #statefulChance: number;
  /** So deep an expression goes at most. */
  readonly #deepest: number;
  #group = false;
  #running = false;
  /** In HAVING of groups, which have no columns of rows and no state. */
  #having = false;
  /** Rows are those of the stream, which say more of themselves than their values. */
  #cells = true;

  constructor(random: Random, deepest: number) {
    this.#r = random;
    this.#deepest = deepest;
    this.#infer = random.chance(0.15);
    this.#newest = random.chance(0.2);
    this.#statefulChance = random.chance(0.4) ? random.pick([0.25, 0.6]) : 0;
  }

  /** Over the stream, or over a query in FROM that gives columns of the same names. */
  query(): string {
    const nested = this.#r.chance(0.12);
    this.#cells = !nested;
    const outer = this.#select();
    this.#cells = true;
    return nested ? outer.replace(" FROM s", () => ` FROM (${this.#inner()}) AS s`) : outer;
  }

  #inner(): string {
    const r = this.#r;
    this.#group = false;
    const where = r.chance(0.4) ? ` WHERE ${this.value("bool", 2)}` : "";
    const window = r.chance(0.5) ? "" : ` GROUP BY ${this.#window("")}`;
    this.#running = false;
    this.#group = window !== "" && r.chance(0.6);
    const kinds: Readonly<Record<string, Kind>> = { a: "float", n: "whole", big: "long",
      yes: "bool", t: "text", d: "open", l: "list" };
    const list = columns.map(({ name }) => {
      const kind = kinds[name];
      return kind === undefined || !r.chance(0.3) ? name : `${this.value(kind, 2)} AS ${name}`;
    });
    this.#group = false;
    const inner = `SELECT ${list.join(", ")} FROM s${where}${window}`;
    return r.chance(0.1) ? inner.replace(" FROM s", () => ` FROM (${this.#inner()}) AS s`) : inner;
  }

  #select(): string {
    const r = this.#r;
    const windowed = r.chance(0.45);
    const where = r.chance(0.6) ? ` WHERE ${this.value("bool", 3)}` : "";
    if (windowed && r.chance(0.1)) return this.#ordered(where);
    if (!windowed && r.chance(0.08)) {
      const rows = r.chance(0.8) ? `unnest(${this.value("list", 3)})`
        : `extract(${this.value("object", 2)})`;
      return `SELECT ${rows}${r.pick(["", " AS x"])}, ` +
        `${this.#list((kind) => this.value(kind, 2))} FROM s${where}`;
    }
    if (!windowed && r.chance(0.08)) return `SELECT ${this.#stars()} FROM s${where}`;
    if (!windowed && r.chance(0.15)) {
      const test = `${where === "" ? " WHERE" : `${where} AND`} ${this.#hits("last_hit")} > ` +
        r.pick(["n", "m", "-1"]);
      const list = this.#list(() => r.pick([this.#hits("last_hit"), this.value("whole", 2)]),
        () => "whole");
      return `SELECT ${list} FROM s${r.chance(0.7) ? test : where}`;
    }
    if (!windowed) {
      const list = this.#list((kind) => this.value(kind, 4));
      const known = r.chance(0.1) ? `${where === "" ? " WHERE" : `${where} AND`} c0 IS NOT NULL`
        : where;
      return `SELECT ${list} FROM s${known}`;
    }
    const keys = Array.from({ length: r.pick([0, 0, 1, 1, 2]) }, () =>
      r.chance(0.7) ? r.pick(["t", "n", "yes", "big", "a", "at", "d"])
        : r.chance(0.6) ? `(${this.value("whole", 1)} % ${r.pick(["3", "3", "3", "m", "0"])})`
        : r.chance(0.3) ? this.#large()
        : this.value(r.pick(["text", "open", "bool", "bytes", "time"]), 1));
    const filter = r.chance(0.2) ? ` FILTER (WHERE ${this.value("bool", 2)})` : "";
    const running = this.#running = r.chance(0.25);
    const window = running ? "" : this.#window(filter);
    if (!running && r.chance(0.15)) {
      const list = r.chance(0.1) ? "*" : this.#list((kind) => this.#counted(kind, 3));
      return `SELECT ${this.#distinct()}window_start() AS began, ${list} FROM s${where} ` +
        `GROUP BY ${window}` +
        (r.chance(0.15) ? ` HAVING ${this.#hits("last_agg_hit")} % 3 != 2` : "") +
        this.#arranged();
    }
    this.#group = true;
    const list = this.#list((kind) => (keys.length > 0 && r.chance(0.3) ? r.pick(keys)
      : running ? this.value(kind, 3) : this.#counted(kind, 3)));
    const hits = running || r.chance(0.8) ? "" : ` AND ${this.#hits("last_agg_hit")} % 3 != 2`;
    this.#having = true;
    const having = r.chance(0.3) ? ` HAVING ${this.value("bool", 2)}${hits}` : "";
    this.#having = false;
    // Panes have room for groups of their own, where none gives way.
    const evicts = r.chance(0.5) ? " EVICT OLDEST" : "";
    const fits = evicts !== "" || !window.startsWith("HOPPING");
    const most = keys.length > 0 && fits && r.chance(0.4)
      ? r.pick([" KEYS 1", " KEYS 2", " KEYS 4", " KEYS 8"]) + evicts : "";
    const groupBy = [keys.join(", ") + most, ...(running ? [] : [window])].filter(Boolean)
      .join(", ");
    const arranged = running ? "" : this.#arranged();
    return `SELECT ${running ? "" : this.#distinct()}count(*) AS rows, ${list} FROM s${where}` +
      `${groupBy === "" ? "" : ` GROUP BY ${groupBy}`}${having}${arranged}`;
  }

  /** Percentiles over a window that each row closes: their values stay in order. */
  #ordered(where: string): string {
    const r = this.#r;
    const window = r.pick(["SLIDINGWINDOW(ms, 50)", "SLIDINGWINDOW(ms, 300)",
      "SLIDINGWINDOW(ms, 30, 30)", "COUNTWINDOW(7, 1)", "COUNTWINDOW(20, 1)"]);
    const args = [this.value("float", 1), this.value(r.pick(["float", "whole", "long"]), 1)];
    const one = (): string => r.chance(0.2) ? r.pick(["count(*)", `max(${args[0]})`, "sum(n)"])
      : `percentile_${r.pick(["cont", "disc"])}(${r.pick(args)}, ${r.pick(["0", "0.3", "1"])})`;
    return `SELECT median(${args[0]}) AS middle, ${this.#list(one)} FROM s${where} ` +
      `GROUP BY ${window}`;
  }

  /** A value that is longer than its place, if the row wills it. */
  #large(): string {
    const r = this.#r;
    return r.pick([`repeat(${r.pick(["d", "l", "t"])}, ${r.pick(["n", "20", "9"])})`,
      "sequence(1, n)", "array_concat(l, repeat(d, m))", "array_flatten(repeat(l, 7))",
      "object_construct('x', repeat(l, n))", "concat(t, cast(repeat(d, 8), 'string'))"]);
  }

  #hits(name: string): string {
    const time = `(cast(event_time() - ${name}_time(), 'bigint') / 10)`;
    return this.#r.chance(0.6) ? `${name}_count()` : time;
  }

  #distinct(): string {
    return this.#r.chance(0.1) ? "DISTINCT " : "";
  }

  /** A function with state that looks at what windows give, where the value is an aggregate. */
  #overWindows(kind: Kind, depth: number): string {
    if (kind !== "bool") return `lag(${this.value(kind, depth)})`;
    return `had_changed(${this.#r.pick(["TRUE", "FALSE"])}, ${this.value(this.kind(), depth)})`;
  }

  /** A column of a window's rows, also their number. */
  #counted(kind: Kind, depth: number): string {
    if (this.#r.chance(0.04)) return this.#r.pick(["window_end()", "window_trigger()"]);
    if (this.#r.chance(0.04)) return this.#hits("last_agg_hit");
    if (this.#r.chance(0.04)) return this.#overWindows(kind, depth - 1);
    if (!this.#r.chance(0.08)) return this.value(kind, depth);
    const partition = this.#r.chance(0.5)
      ? `PARTITION BY ${this.value(this.kind(), 1)} ` : "";
    const order = this.#r.chance(0.6) ? `ORDER BY ${this.#orders()}` : "";
    return `row_number() OVER (${partition}${order}) + 1`;
  }

  #arranged(): string {
    const order = this.#r.chance(0.3) ? ` ORDER BY ${this.#orders()}` : "";
    return order + (this.#r.chance(0.15) ? ` LIMIT ${this.#r.pick(["1", "2", "10"])}` : "");
  }

  #orders(): string {
    return Array.from({ length: this.#r.pick([1, 1, 2]) }, () =>
      this.value(this.#r.pick([this.kind(), "whole"]), 1) +
        this.#r.pick(["", " ASC", " DESC"]))
      .join(", ");
  }

  #window(filter: string): string {
    const r = this.#r;
    switch (r.below(10)) {
      case 0: case 1: return `TUMBLINGWINDOW(ms, ${r.pick([50, 100, 1000])})${filter}`;
      case 2: return `COUNTWINDOW(${r.pick([1, 3, 7])})${filter}`;
      case 3: return `COUNTWINDOW(${r.pick(["3, 1", "20, 1", "7, 2", "5, 5", "20, 3"])})${filter}`;
      case 4: case 5: return `HOPPINGWINDOW(ms, ` +
        `${r.pick(["100, 50", "100, 30", "60, 40", "30, 50", "1000, 200"])})${filter}`;
      case 6: {
        const hits = r.chance(0.2) ? ` AND ${this.#hits("last_hit")} > n` : "";
        const when = r.chance(0.4) ? ` OVER (WHEN ${this.value("bool", 2)}${hits})` : "";
        return `SLIDINGWINDOW(ms, ${r.pick(["10", "50", "300"])})${filter}${when}`;
      }
      case 7: return `SLIDINGWINDOW(ms, ${r.pick(["10, 5", "50, 100", "30, 30"])})${filter}` +
        (r.chance(0.4) ? ` OVER (WHEN ${this.value("bool", 2)})` : "");
      case 8: return `SESSIONWINDOW(ms, ${r.pick(["100, 20", "1000, 50", "40, 35"])})${filter}`;
      default: return `STATEWINDOW(${this.value("bool", 2)}` +
        `${r.chance(0.5) ? `, ${this.value("bool", 2)}` : ""})${filter}` +
        (r.chance(0.5) ? ` OVER (PARTITION BY ${this.value(this.kind(), 1)})` : "");
    }
  }

  /** Columns, of which one may read another that stands before it. */
  #list(one: (kind: Kind) => string, kindOf = (): Kind => this.kind()): string {
    const kinds: Kind[] = [];
    return Array.from({ length: 1 + this.#r.below(4) }, (_, i) => {
      const earlier = this.#r.below(i + 1), kind = kinds[earlier] ?? kindOf();
      kinds.push(kind);
      if (earlier === i || !this.#r.chance(0.15)) return `${one(kind)} AS c${i}`;
      return `CASE WHEN c${earlier} IS NULL THEN ${one(kind)} ELSE c${earlier} END AS c${i}`;
    }).join(", ");
  }

  /** Lists that stand for more columns than they name, or for fewer. */
  #stars(): string {
    const r = this.#r;
    return r.pick([
      () => `*, ${this.#list((kind) => this.value(kind, 2))}`,
      () => `* EXCEPT(a, t) REPLACE(${this.value("whole", 2)} AS n, ${this.value("open", 1)} AS d)`,
      () => `changed_cols('new_', ${r.pick(["TRUE", "FALSE"])}, ` +
        `${r.pick(["*", "a, t, d", "n, o, *"])})${r.pick(["", ", at"])}`,
      () => `${this.value("float", 3)} AS c0 INVISIBLE, c0 + ${this.value("float", 2)} AS c1, ` +
        `c0 > ${this.value("whole", 1)} AS c2`,
    ])();
  }

  kind(): Kind {
    return this.#r.chance(0.03) ? "bytes" : this.#r.pick(["float", "float", "whole", "whole",
      "long", "bool", "text", "time", "open", ...openKinds]);
  }

  value(kind: Kind, wanted: number): string {
    const depth = Math.min(wanted, this.#deepest);
    if (depth <= 0 || this.#r.chance(0.15)) return this.#leaf(kind);
    if (!openKinds.includes(kind) && kind !== "long" && this.#r.chance(0.06)) {
      return this.value("open", depth - 1);
    }
    return this.#stateful(kind) ?? this.#common(kind, depth - 1)
      ?? this.#operation(kind, depth - 1);
  }

  #leaf(kind: Kind): string {
    const r = this.#r;
    if (this.#group && (this.#having || r.chance(0.8))) return this.#aggregate(kind);
    // NULL by itself is a float: a place for whole numbers or conditions refuses it.
    if (r.chance(0.05) && (kind === "float" || kind === "text")) return "NULL";
    const known = !this.#group && this.#cells && r.chance(0.04) ? this.#ofCell(kind) : null;
    if (known !== null) return known;
    switch (kind) {
      case "float":
        if (this.#newest && r.chance(0.3)) return "dev.x";
        if (this.#infer && r.chance(0.5)) {
          return `infer('m', a, ${r.pick(["b", "n", "2"])})${r.pick(["", "", "[1]"])}`;
        }
        return r.chance(0.75) ? r.pick(["a", "b"])
          : r.pick(["0.0", "1.5", "-2.25", "100.0", "0.1"]);
      case "whole":
        if (this.#newest && r.chance(0.3)) return "dev.k";
        return r.chance(0.75) ? r.pick(["n", "m"])
          : r.pick(["0", "0", "1", "2", "-3", "7", "9007199254740991"]);
      case "long": return r.chance(0.8) ? r.pick(["big", "wide"]) : "9223372036854775807";
      case "bool": return r.chance(0.8) ? r.pick(["yes", "no"]) : r.pick(["TRUE", "FALSE"]);
      case "text": return r.chance(0.75) ? r.pick(["t", "u"])
        : r.pick(["'a'", "'ab'", "''", "'Öl'", "'12'"]);
      case "bytes": return `decode(encode(${r.pick(["t", "u"])}, 'base64'), 'base64')`;
      case "time": return "at";
      case "open": return this.#cells && r.chance(0.05)
        ? r.pick(["meta(topic)", "mqtt(qos)", "meta(s.x)"])
        : r.pick(["d", "e", "d", "e", "l[0]", "l[-1]", "o->x", "o.y"]);
      case "list": return r.pick(["l", "l", "o->l", "array_create(1, 'a', 2.5, yes)"]);
      case "object": return this.#cells && r.chance(0.05) ? "meta(*)"
        : r.pick(["o", "o", "object_construct('x', n, 'y', t, 'z', at)"]);
    }
  }

  /** What is known of a value beside itself. */
  #ofCell(kind: Kind): string | null {
    const r = this.#r;
    const any = r.pick(["a", "n", "big", "yes", "t", "at", "d", ...this.#newest ? ["dev.x"] : []]);
    switch (kind) {
      case "text": return r.pick([`quality(${any})`, "raw(t)"]);
      case "bool": return r.pick([`good(${any})`, "raw(yes)", `changed(${any})`]);
      case "float": return "raw(a)";
      case "whole": return "raw(n)";
      case "long": return "raw(big)";
      case "time": return "raw(at)";
      default: return null;
    }
  }

  #aggregate(kind: Kind): string {
    const r = this.#r;
    this.#group = false;
    const arg = (k: Kind): string => this.value(k, 1);
    const value = (x: string): string => `${r.pick(["last", "first"])}_value(${x}, ` +
      `${r.pick(["TRUE", "FALSE"])})`;
    const text = ((): string => {
      if (r.chance(0.05)) return value(this.#not("NULL", () => arg(kind)));
      switch (kind) {
        case "float":
          if (!this.#running && r.chance(0.1)) {
            const x = arg(r.pick(["float", "whole", "long"]));
            const at = r.pick(["0", "0.1", "0.5", "0.95", "1"]);
            return r.pick([`median(${x})`, `percentile_cont(${x}, ${at})`,
              `percentile(${x}, ${at})`,
              `percentile_disc(${x}, ${at})`, `fft_peak(${x}, ${r.pick(["10", "0.5"])})`,
              `fft_magnitude(${x}, 100, ${r.pick(["0", "13.5", "900"])})`]);
          }
          return r.chance(0.2)
          ? `${r.pick(["stddev", "stddevs", "var", "vars", "rms"])}(` +
            `${arg(r.pick(["float", "whole", "long"]))})`
          : `${r.pick(["sum", "avg", "min", "max", "last", "first"])}(` +
            `${this.#not("NULL", () => arg("float"))})`;
        case "whole":
          if (!this.#running && r.chance(0.06)) return `count(DISTINCT ${arg(this.kind())})`;
          return r.chance(0.3) ? `count(${r.chance(0.3) ? "*" : arg(this.kind())})`
          : `${r.pick(["sum", "avg", "min", "max", "last", "first"])}(` +
            `${this.#not("NULL", () => arg("whole"))})`;
        case "long": return `${r.pick(["sum", "min", "max", "last", "first", "avg"])}(` +
          `${arg("long")})`;
        case "bool": return `last(${r.pick(["yes", "no"])})`;
        case "text": return !this.#having && r.chance(0.3) ? r.pick(["t", "u"])
          : `${r.pick(["min", "max", "last", "first"])}(${r.pick(["t", "u"])})`;
        case "bytes": return `${r.pick(["last", "first"])}(${this.#leaf("bytes")})`;
        case "time": return r.chance(0.3) ? value("at")
          : `${r.pick(["min", "max", "last"])}(at)`;
        case "open":
          return r.pick(["last(e)", "first(d)", "last(o)->x",
            ...this.#having ? [] : ["d", "l[1]"]]);
        case "list": return this.#running || r.chance(0.5) ? this.#having ? "last(l)"
          : r.pick(["l", "last(l)"])
          : r.pick([() => `collect(DISTINCT ${arg(this.kind())})`,
            () => `collect(${arg(this.kind())})`, () => "collect(*)",
            () => `deduplicate(${arg(this.kind())}, TRUE)`])();
        case "object": return this.#running || r.chance(0.5) ? this.#having ? "first(o)"
          : r.pick(["o", "first(o)"])
          : r.pick([() => `merge_agg(${arg("object")})`, () => "merge_agg(*)",
            () => `deduplicate(${arg(this.kind())}, FALSE)`])();
      }
    })();
    this.#group = true;
    return text;
  }

  #not(not: string, make: () => string): string {
    let text = make();
    while (text === not) text = make();
    return text;
  }

  /** A call of a function with state, of which there may be one inside another. */
  #stateful(kind: Kind): string | null {
    const r = this.#r;
    if (this.#having || !r.chance(this.#statefulChance)) return null;
    const group = this.#group, chance = this.#statefulChance;
    this.#group = false;
    // Calls inside calls are few, or there is no end of them.
    this.#statefulChance = Math.min(chance, 0.15);
    const call = this.#statefulCall(kind);
    const keys = ["t", "n", "yes", "big", "a", "(n % 3)", "t, yes", "d", "at", "upper(t)",
      "decode(encode(t, 'base64'), 'base64')"];
    const over = [
      r.chance(0.45) ? `PARTITION BY ${r.pick(keys)}` +
        r.pick(["", "", " KEYS 2", " KEYS 1", " KEYS 50"]) : "",
      r.chance(0.35) ? `WHEN ${this.value("bool", 1)}` : "",
    ].filter(Boolean).join(" ");
    this.#group = group;
    this.#statefulChance = chance;
    return over === "" ? call : `${call} OVER (${over})`;
  }

  #statefulCall(kind: Kind): string {
    const r = this.#r;
    const x = (k: Kind): string => this.#not("NULL", () => this.value(k, 1));
    const flag = (): string => r.pick(["TRUE", "FALSE", "TRUE", "FALSE", "yes"]);
    if (r.chance(0.2)) {
      const more = r.pick(["", ", 1", ", 3", `, 2, ${this.#leaf(kind)}`,
        `, 1, ${this.#leaf(kind)}, FALSE`, `, 2, ${this.#leaf(kind)}, TRUE`]);
      return `lag(${x(kind)}${more})`;
    }
    if (r.chance(0.15)) return `latest(${x(kind)}${r.pick(["", `, ${this.#leaf(kind)}`])})`;
    if (r.chance(0.15)) return `changed_col(${flag()}, ${x(kind)})`;
    const number = (): string => x(r.pick<Kind>(["float", "whole", "float", "long"]));
    const fold = (name: string, arg: string): string => `${name}(${arg}` +
      (r.chance(0.4) ? `, ${this.value("bool", 1)}, ${this.value("bool", 1)})` : ")");
    switch (kind) {
      case "float": return r.pick([
        () => `deadband(${number()}, ${r.pick(["0.5", "3", "0", "a", "-1"])})`,
        () => `${r.pick(["rate_limit", "ramp"])}(${number()}, ` +
          `${r.pick(["2", "100.0, 5", "0.5, 0", "a, b", "n", "-1"])})`,
        () => `ewma(${number()}, ${r.pick(["10ms", "1s", "a"])})`,
        () => `derivative(${number()})`,
        () => `totalize(${number()}${r.pick(["", ", 1h", ", 100ms, 20ms", ", 1s, n"])})`,
        () => `time_in_state(${x(this.kind())})`,
        () => this.#controller(number),
        () => this.#controller(number),
        () => `cusum(${number()}, ${r.pick(["0", "b", "5"])}, ${r.pick(["0", "1.5", "n"])})`,
        () => `${r.pick(["moving_median", "moving_rms", "moving_slope", "zscore"])}(${number()}, ` +
          `${r.pick(["1", "2", "3", "7"])})`,
        () => fold(r.pick(["acc_sum", "acc_min", "acc_max", "acc_avg"]), number()),
      ])();
      case "whole": return fold("acc_count", x(this.kind()));
      case "bool": return r.pick([
        () => `${r.pick(["rising", "falling"])}(${x("bool")})`,
        () => `hysteresis(${number()}, ${r.pick(["1, 100", "0, 0", "-2.25, 1.5", "a, b",
          "5, 1"])})`,
        () => `debounce(${x("bool")}, ${r.pick(["0", "20ms", "100ms", "n"])})`,
        () => `had_changed(${flag()}, ` +
          `${r.pick(["*", x(this.kind()), `t, ${x(this.kind())}`])})`,
      ])();
      case "text": return r.chance(0.5) ? `lag(${x(kind)})`
        : `alarm(${x("bool")}, ${r.pick(["0", "20ms", "n"])}, ${r.pick(["0", "100ms", "a"])}, 'w')`;
      default: return `lag(${x(kind)})`;
    }
  }

  #controller(number: () => string): string {
    const r = this.#r;
    const track = r.pick(["a", "n"]);
    const more = r.pick(["", "", `, ${number()}`, `, ${track}, ${this.#leaf("bool")}`]);
    return `pid(${number()}, ${r.pick(["10", "b", "n"])}, ${r.pick(["2", "-0.5", "a", "n"])}, ` +
      `${r.pick(["0", "50ms", "1s", "b"])}, ${r.pick(["0", "20ms", "m"])}, ` +
      // Limits that seldom hold show what is between them.
      `${r.pick(["0, 100", "-5, 5", "-1000, 1e300", "-1e300, 1e300", "-1e6, 1e6",
        r.chance(0.5) ? "a, b" : "5, 5"])}, ` +
      `${r.pick(["1s", "50ms", "30ms", "10ms"])}${more})`;
  }

  #common(kind: Kind, depth: number): string | null {
    const r = this.#r;
    if (r.chance(0.12)) {
      const whens = Array.from({ length: 1 + r.below(2) }, () =>
        `WHEN ${this.value("bool", depth)} THEN ${this.value(kind, depth)}`);
      return `CASE ${whens.join(" ")}${r.chance(0.7) ? ` ELSE ${this.value(kind, depth)}` : ""} ` +
        `END`;
    }
    if (r.chance(0.03)) {
      const of = r.pick<Kind>(["whole", "text", "float", "open", "time"]);
      return `CASE ${this.value(of, depth)} WHEN ${this.value(of, depth)} THEN ` +
        `${this.value(kind, depth)} WHEN ${this.#leaf(of)} THEN ${this.#leaf(kind)} END`;
    }
    if (r.chance(0.08) && functionsBy[kind].length > 0) return this.#call(kind, depth);
    if (r.chance(0.06)) {
      return `coalesce(${this.#leaf(kind)}, ${this.value(kind, depth)}, ${this.#leaf(kind)})`;
    }
    return null;
  }

  /** Any function with such a result, by what its record says that it takes. */
  #call(kind: Kind, depth: number): string {
    const { name, also = [], parameters } = this.#r.pick(functionsBy[kind]);
    const least = parameters.replace(/[?].*$|[+/]/g, "").length;
    const letters = [0, 1, 2].map((more) => expand(parameters, least + more))
      .filter((some) => some !== null);
    const args = [...this.#r.pick(letters)].map((letter) => this.#argument(letter, depth));
    return `${this.#r.pick([name, ...also])}(${args.join(", ")})`;
  }

  #argument(letter: string, depth: number): string {
    const r = this.#r;
    const of = (...kinds: Kind[]): string => this.value(r.pick(kinds), depth);
    switch (letter) {
      case "n": case "d": return of("float", "whole", "long");
      case "i": return r.chance(0.4) ? r.pick(["0", "1", "-2", "20"]) : of("whole");
      case "u": return r.pick(["0", "1", "3", "n"]);
      case "s": return of("text");
      case "y": return of("text", "bytes");
      case "k": return of("whole", "text");
      case "b": return of("bool");
      case "B": return r.pick(["TRUE", "FALSE"]);
      case "t": return this.#moment(depth);
      case "l": return of("list");
      case "o": return of("object");
      case "c": return of("text", "list");
      default: return of(this.kind());
    }
  }

  #operation(kind: Kind, depth: number): string {
    const r = this.#r;
    const of = (k: Kind): string => this.value(k, depth);
    switch (kind) {
      case "float":
        if (r.chance(0.03)) return "rand()";
        if (r.chance(0.2)) {
          return `${r.pick(["abs", "sqrt", "floor", "round", "sin", "exp", "ln"])}(${of("float")})`;
        }
        if (r.chance(0.1)) {
          return `cast(${of(r.pick(["whole", "text", "bool", "long", "open"]))}, 'float')`;
        }
        if (r.chance(0.1)) return `-(${of("float")})`;
        if (r.chance(0.1)) {
          return `convert_unit(${of("float")}, 'degF', ${r.pick(["'K'", "'degC'", "t"])})`;
        }
        return `(${of("float")} ${r.pick(["+", "-", "*", "/", "%"])} ` +
          `${of(r.pick(["float", "whole"]))})`;
      case "whole":
        if (r.chance(0.1)) {
          return `cast(${of(r.pick(["float", "text", "bool", "time", "open"]))}, 'bigint')`;
        }
        if (r.chance(0.1)) return `${r.pick(["length", "numbytes"])}(${of("text")})`;
        if (r.chance(0.02)) return "rule_start()";
        if (r.chance(0.1)) {
          const float = r.chance(0.3);
          return float ? `sign(${of("float")})` : `${r.pick(["abs", "sign"])}(${of("whole")})`;
        }
        if (r.chance(0.1)) return `-(${of("whole")})`;
        if (r.chance(0.15)) return this.#part(depth);
        return `(${of("whole")} ${r.pick(["+", "-", "*", "/", "%", "&", "|", "^"])} ` +
          `${of("whole")})`;
      case "long":
        if (r.chance(0.1)) return `-(${of("long")})`;
        if (r.chance(0.1)) return `${r.pick(["abs", "bitnot"])}(${of("long")})`;
        if (r.chance(0.1)) {
          return `${r.pick(["bitand", "bitor", "bitxor"])}(${of("long")}, ${of("whole")})`;
        }
        if (r.chance(0.1)) return `date_diff(${this.#moment(depth)}, ${this.#moment(depth)})`;
        return `(${of("long")} ${r.pick(["+", "-", "*", "/", "%", "&", "|", "^"])} ` +
          `${of(r.pick(["long", "whole"]))})`;
      case "bool": return this.#condition(depth);
      case "text":
        if (r.chance(0.3)) {
          return `cast(${of(r.pick(["float", "whole", "long", "bool", "open"]))}, 'string')`;
        }
        if (r.chance(0.03)) return r.pick(["newuuid()", "newuuid()", "rule_id()"]);
        if (r.chance(0.1)) return `to_json(${of(this.kind())})`;
        if (r.chance(0.1)) return `array_join(${of("list")}, ${of("text")}, 'none')`;
        if (r.chance(0.3)) return `concat(${of("text")}, ${of("text")})`;
        if (r.chance(0.5)) return this.#made(depth);
        return `${r.pick(["upper", "lower", "trim", "reverse"])}(${of("text")})`;
      case "bytes": return r.pick([
        () => `cast(${of(r.pick(["text", "open"]))}, 'bytea')`,
        () => `decode(${of("text")}, 'base64')`,
        () => `compress(${of("bytes")}, ${r.pick(["'zlib'", "'zstd'"])})`,
      ])();
      case "open": return this.#open(depth);
      case "list":
        return r.chance(0.04) ? `array_shuffle(${of("list")})` : this.#listOf(depth);
      case "object": return r.pick([
        () => `object_construct('x', ${of(this.kind())}, t, ${of("open")})`,
        () => `object_concat(${of("object")}, ${of("object")})`,
        () => `erase(${of("object")}, ${r.pick(["'x'", "t", "array_create('x', 'y')"])})`,
        () => `object_pick(${of("object")}, 'x', ${r.pick(["'l.z'", "t"])})`,
        () => `zip(items(${of("object")}))`,
        () => `object(keys(${of("object")}), values(o))`,
        () => `kvpair_array_to_obj(obj_to_kvpair_array(${of("object")}))`,
      ])();
      case "time":
        if (r.chance(0.3)) return `convert_tz(${of("time")}, ${r.pick(zones)})`;
        return `cast(${of(r.pick(["whole", "text"]))}, 'datetime')`;
    }
  }

  /** A value of which only the row knows what it is. */
  #open(depth: number): string {
    const r = this.#r;
    const of = (k: Kind): string => this.value(k, depth);
    const number = (): string => of(r.pick<Kind>(["open", "open", "float", "whole", "long"]));
    return r.pick([
      () => `(${of("open")} ${r.pick(["+", "-", "*", "/", "%"])} ${number()})`,
      () => `(${number()} ${r.pick(["+", "-", "*", "/", "%"])} ${of("open")})`,
      () => `${of("list")}[${r.pick(["0", "1", "-1", "n", "d"])}]`,
      () => `${of("object")}->${r.pick(["x", "y", "l"])}`,
      () => `element_at(${of(r.pick(["list", "object"]))}, ${r.pick(["0", "'x'", "d"])})`,
      () => `${r.pick(["array_max", "array_min"])}(${of("list")})`,
      () => `parse_json(${of("text")})`,
      () => `json_path_query${r.pick(["", "_first"])}(${of(r.pick(["list", "object"]))}, ` +
        `${r.pick(["'$[0]'", "'$.x'", "'$[? @ > 1]'", "'$..x'"])})`,
    ])();
  }

  #listOf(depth: number): string {
    const r = this.#r;
    const of = (k: Kind): string => this.value(k, depth);
    const two = r.pick(["array_union", "array_intersect", "array_except", "array_concat"]);
    return r.pick([
      () => `array_create(${of(this.kind())}, ${of("open")})`,
      () => `${two}(${of("list")}, ${of("list")})`,
      () => `array_remove(${of("list")}, ${of(r.pick(["open", "float", "text"]))})`,
      () => `${r.pick(["array_distinct", "array_flatten", "array_sort"])}(${of("list")})`,
      () => `${of("list")}[${r.pick(["0:1", "1:", ":-1", "n:", "d:n", ":"])}]`,
      () => `${r.pick(["keys", "values", "items"])}(${of("object")})`,
      () => `repeat(${of("open")}, ${r.pick(["2", "n"])})`,
      () => this.#large(),
      () => `sequence(${r.pick(["1, 3", "3, 1", "1, 9, 4", "n, 5"])})`,
      () => `array_map(${r.pick(["'abs'", "'upper'", "'sqrt'"])}, ${of("list")})`,
    ])();
  }

  /** A time as functions take it: a text or a number too. */
  #moment(depth: number): string {
    return this.#r.chance(0.8) ? this.value("time", depth)
      : this.#not("NULL", () => this.value(this.#r.pick(["whole", "float", "text"]), depth));
  }

  /** A whole number made of a time or a text. */
  #part(depth: number): string {
    const r = this.#r;
    if (r.chance(0.1)) return r.pick(["tstamp()", "event_time()"]);
    if (r.chance(0.1)) return `chr(${this.value(r.pick(["text", "whole"]), depth)})`;
    if (r.chance(0.2)) return `${r.pick(["microsecond", "to_seconds"])}(${this.#moment(depth)})`;
    const name = r.pick(["year", "month", "day", "day_of_month", "day_of_week", "day_of_year",
      "hour", "minute", "second"]);
    return `${name}(${this.#moment(depth)}${this.#zone()})`;
  }

  #zone(): string {
    return this.#r.chance(0.6) ? "" : `, ${this.#r.pick(zones)}`;
  }

  /** A text made of something else. */
  #made(depth: number): string {
    const r = this.#r;
    const of = (k: Kind): string => this.value(k, depth);
    switch (r.below(10)) {
      case 0: return r.pick(["now()", "now(3)", "cur_date()", "cur_time(6)",
        "current_timestamp()", "local_time(0)", "local_timestamp(1)", "current_date()",
        "current_time(3)"]);
      case 1: return `${r.pick(["day_name", "month_name", "last_day"])}` +
        `(${this.#moment(depth)}${this.#zone()})`;
      case 2: return `format_time(${this.#moment(depth)}, ${r.pick(timePatterns)}${this.#zone()})`;
      case 3: return `date_calc(${this.#moment(depth)}, ${r.pick(["'-1h30m'", "'1.5ms'", "u"])})`;
      case 4: return `from_unix_time(${of("whole")}${this.#zone()})`;
      case 5: return `from_days(${of("whole")})`;
      case 6: return r.chance(0.5) ? `regexp_substr(${of("text")}, ${r.pick(expressions)})`
        : `regexp_replace(${of("text")}, ${r.pick(expressions)}, ${r.pick(["'<$1>'", "t"])})`;
      case 7: return `${r.pick(["md5", "sha1", "crc32"])}(${of(r.pick(["text", "bytes"]))})`;
      case 8: return r.chance(0.5) ? `encode(${of("text")}, 'base64')`
        : `encode(${r.pick([`decode(${of("text")}, 'base64')`,
          `compress(${of("text")}, 'gzip')`, `decompress(${of("text")}, 'zlib')`])}, 'base64')`;
      default: return `format(${of(r.pick(["float", "whole"]))}, ${r.pick(["0", "3", "n"])}` +
        `${r.pick(["", ", 'de_DE'"])})`;
    }
  }

  #condition(depth: number): string {
    const r = this.#r;
    const kind = r.pick<Kind>(["float", "whole", "long", "text", "time", "open"]);
    const of = (k: Kind): string => this.value(k, depth);
    const choice = r.below(12);
    if (choice === 11) {
      return r.pick([
        () => `(${of("open")} ${r.pick(["", "NOT "])}IN ${r.pick(["l", "o->l"])})`,
        () => `(${of("open")} ${r.pick(["=", "!=", "<", ">="])} ${of(this.kind())})`,
        () => `array_contains(${of("list")}, ${of(kind)})`,
        () => `array_contains_any(${of("list")}, ${of("list")})`,
        () => `(${r.pick(["cardinality", "length"])}(${of("list")}) > n)`,
        () => `(${of("object")} IS NULL)`, () => `isnull(${of(this.kind())})`,
        () => `json_path_exists(${of("object")}, ${r.pick(["'$.x'", "'$.l[1]'"])})`,
        () => `cast(${of(r.pick(["float", "whole", "long", "text", "open"]))}, 'boolean')`,
      ])();
    }
    if (choice === 10) return `regexp_matches(${of("text")}, ${r.pick(expressions)})`;
    if (choice < 3) return `(${of("bool")} ${r.pick(["AND", "OR"])} ${of("bool")})`;
    if (choice === 3) return `NOT (${of("bool")})`;
    if (choice === 4) return `(${of(kind)} ${r.pick(["", "NOT "])}IN (${of(kind)}, ${of(kind)}))`;
    if (choice === 5) {
      return `(${of(kind)} ${r.pick(["", "NOT "])}BETWEEN ${of(kind)} AND ${of(kind)})`;
    }
    if (choice === 6) {
      return `(${of("text")} ${r.pick(["", "NOT "])}LIKE ` +
        `${r.pick(["'a%'", "'%b'", "'_'", "'%'", "'a_%'", "u"])})`;
    }
    if (choice === 7) {
      return `(${of(r.chance(0.1) ? "bytes" : kind)} IS ${r.pick(["", "NOT "])}NULL)`;
    }
    if (r.chance(0.08)) {
      return r.pick([
        () => `(${of("bytes")} ${r.pick(["=", "!="])} ${of("bytes")})`,
        () => `(${of("bytes")} ${r.pick(["", "NOT "])}IN (${of("bytes")}, ${of("bytes")}))`,
      ])();
    }
    const other = kind === "float" ? r.pick<Kind>(["float", "whole"]) : kind === "whole"
      ? r.pick<Kind>(["whole", "long"]) : kind;
    return `(${of(kind)} ${r.pick(["=", "!=", "<", "<=", ">", ">="])} ${of(other)})`;
  }
}

const zones = ["'UTC'", "'Europe/Berlin'", "'Asia/Kathmandu'", "'-03:30'", "u"];
const timePatterns = ["'yyyy-MM-dd HH:mm:ss.SSS XXX'", "'EEE d MMM YY h a z'", "t"];
const expressions = ["'a.'", "'(a|b)+'", "'^$'", "'[^a]*'", "'(?i)ö'", "u"];
const floats = [0, -0, 1, 1.5, -2.25, 0.1, 0.2, 100, 1e15, -1e300, 1e308, NaN, Infinity, -Infinity,
  5e-324];
const wholes = [0, 1, -1, 2, 3, 7, -8, 100, 2 ** 31, 2 ** 32, -(2 ** 32), 2 ** 53 - 1,
  -(2 ** 53 - 1)];
const longs = [0n, 1n, -1n, 5n, 2n ** 31n, -(2n ** 33n), 2n ** 53n + 1n, 2n ** 63n - 1n,
  -(2n ** 63n)];
/** Also of as many bytes as their places have. */
const texts = ["", "a", "ab", "b", "Öl", "a_%", "true", "12", "-1.5e3", "2026-01-31", "😀x",
  "\ufeffab", "abcdefgh", "abcdefghijklmnöp"];

const uncertain = [1, 2, 3, 63];
/** States on both sides of each bound. */
export const states = [1, 2, 3, 63, 63, 64, 64, 64, BAD.timeout, BAD.initial, 191, 192, 192, 193,
  193, 194, 194, ERROR.zero, ERROR.parse, 255];
const extremes: Readonly<Record<string, readonly Cell["value"][]>> = {
  float64: [0, NaN, Infinity, -1e300, 1e308], int53: [0, 1, -1, 2 ** 53 - 1, -(2 ** 53 - 1)],
  int64: [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)],
};
/** Sums as large as exact numbers may be, and one larger; numbers that differ in their sign. */
const brinks: Readonly<Record<string, readonly Cell["value"][]>> = {
  int53: [2 ** 53 - 1, 1, 1, -1, 0, -(2 ** 53 - 1)], float64: [0, -0],
};
/** What lies beside a state that says that there is no value may be anything. */
const beside: typeof extremes = { ...extremes, time: [0, NaN, 1e300] };

/** How the cells of a column are in one set of rows. */
interface Manner {
  readonly goodChance: number;
  /** The values that it has; null: any. */
  readonly values: readonly Cell["value"][] | null;
  /** The states of those that are not good. */
  readonly states: readonly number[];
}

function mannerOf(r: Random, column: ColumnSpec, goodChance: number, fewChance: number): Manner {
  const most = extremes[column.kind];
  const brink = brinks[column.kind];
  const values = brink !== undefined && r.chance(0.2) ? brink : r.chance(fewChance)
    ? Array.from({ length: 1 + r.below(3) }, () => valueOf(r, column))
    : most !== undefined && r.chance(0.1) ? most : null;
  return { goodChance, values, states: r.chance(0.25) ? uncertain : states };
}

function cell(r: Random, spec: ColumnSpec, { goodChance, values, states }: Manner): Cell {
  const any = (): Cell["value"] => (values === null ? valueOf(r, spec) : r.pick(values));
  if (r.chance(goodChance)) return { value: any(), state: 0 };
  const state = r.pick(states), most = state < 64 ? extremes[spec.kind] : beside[spec.kind];
  return { value: most !== undefined && r.chance(0.5) ? r.pick(most) : any(), state };
}

export function valueOf(r: Random, { kind, slot, name }: ColumnSpec): Cell["value"] {
  if (name === meta.name) return new Map<string, Dyn>([["topic", r.pick(texts)], ["x", loose(r)]]);
  switch (kind) {
    case "float64": return r.chance(0.5) ? r.pick(floats) : Math.round(r.next() * 1000) / 8;
    case "int53": return r.chance(0.4) ? r.pick(wholes) : r.below(20) - 10;
    case "int64": return r.chance(0.5) ? r.pick(longs) : BigInt(r.below(20) - 10);
    case "bool": return r.chance(0.5);
    case "time": return 1_700_000_000_000 + r.below(100_000);
    case "json": return r.pick(documents);
    case "dyn":
      return fitting(slot > 24 || r.chance(0.1) ? listOf(r) : loose(r), slot);
    default: {
      const text = r.pick(texts);
      return Buffer.byteLength(text) <= slot ? text : "";
    }
  }
}

const documents = ['{"x":1.5,"y":"a","l":[1,2,"b"]}', '{"x":null,"l":[]}', "[1]", "null", "{x",
  '{"x":{"x":-0.1}}', '{"y":true,"x":1e15,"l":[1,null,[2]]}',
  '{"l":[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7]}'];

/** Any value without parts. */
function loose(r: Random): Dyn {
  return r.pick<() => Dyn>([
    () => r.pick(floats), () => r.below(20) / 4, () => r.pick(longs), () => BigInt(r.below(9) - 4),
    () => r.chance(0.5), () => r.pick(texts), () => new Date(1_700_000_000_000 + r.below(1e5)),
    () => BigInt(r.below(9)), () => new Uint8Array([r.below(256)]),
  ])();
}

const listOf = (r: Random): Dyn => (r.chance(0.85)
  ? Array.from({ length: r.below(4) }, () => (r.chance(0.1) ? null : loose(r)))
  : new Map([["x", loose(r)]]));

const written = new Uint8Array(256);
/** As it is in a cell. */
const fitting = (value: Dyn, slot: number): Dyn =>
  (new DynWriter().write(written, 0, slot, value) < 0 ? 1 : new DynReader().read(written, 0));

/**
 * Each set of rows has a manner of its own: how many there are and how much each differs from the
 * one before, how good they are, also in one column alone, since what is wrong with one hides what
 * another does, and whether a column has few values, so that equal ones meet.
 */
function randomRows(r: Random): Row[] {
  let time = 1_700_000_000_000 + r.below(1000);
  const goodChance = r.pick([0.4, 0.7, 0.7, 0.95, 1]), fewChance = r.pick([0.3, 0.3, 0.8]);
  const all = [...columns, meta];
  // Few columns move: what has not changed can be seen beside what has.
  const moving = r.chance(0.25) ? Array.from({ length: r.pick([1, 2, 3]) }, () => r.pick(all))
    : null;
  const bad = moving ?? (r.chance(0.4) ? [r.pick(all)] : null);
  const manners = new Map(all.map((column) => [column, mannerOf(r, column,
    bad === null ? goodChance : bad.includes(column) ? 0.5 : 1, fewChance)]));
  const steps = r.chance(0.8) ? [0, 1, 10, 10, 30, 120] : [0, 10, 20, 50];
  const freshChance = r.pick([1, 1, 1, 0.5, 0.1]);
  const isFresh = (column: ColumnSpec): boolean => (moving === null ? r.chance(freshChance)
    : r.chance(moving.includes(column) ? 0.6 : 0.02));
  const flagChance = r.pick([0.1, 0.1, 0.5]);
  let cells = new Map<string, Cell>();
  return Array.from({ length: r.below(r.pick([50, 50, 50, 120])) }, () => {
    time += r.pick(steps);
    cells = new Map(all.map((column) => {
      const before = cells.get(column.name);
      return [column.name, before === undefined || isFresh(column)
        ? cell(r, column, manners.get(column)!) : before];
    }));
    return {
      time, source: r.chance(0.8) ? time - r.below(9) : undefined,
      flags: r.chance(flagChance) ? r.pick([1, 2, 4, 16]) : 0, cells,
    };
  });
}

/** The source time of a row, where it has one. */
function sourceOf({ cells }: Row): number | null {
  const { value, state } = cells.get("at")!;
  return state === 0 ? value as number : null;
}

function put(ring: Ring, row: Row, source: number | null = null): void {
  ring.claim(1);
  const at = ring.head & ring.mask;
  ring.arena.F[ring.timeAt + at] = row.time;
  ring.arena.F[ring.sourceAt + at] = source ?? NaN;
  ring.arena.U[ring.flagsAt + at] = row.flags;
  for (const column of ring.columns) {
    const { value, state } = row.cells.get(column.name)!;
    writeCell(ring, column, ring.head, value);
    // Whatever a driver would refuse: code must agree on what is not finite, too.
    if (typeof value === "number" && column.slot === 0) ring.arena.F[column.payload + at] = value;
    ring.arena.U[column.state + at] = state;
  }
  ring.publish(1);
}

/** As a ring that has gone round: nothing of a row is as it should be by itself. */
export function soil({ arena, rows, columns, timeAt, sourceAt, flagsAt }: Ring): void {
  arena.F.fill(-7, timeAt, timeAt + rows);
  arena.F.fill(-7, sourceAt, sourceAt + rows);
  arena.U.fill(170, flagsAt, flagsAt + rows);
  for (const { payload, stride, length, slot, state } of columns) {
    arena.U.fill(170, state, state + rows);
    if (slot === 0) arena.F.fill(-7, payload, payload + rows);
    else {
      arena.U.fill(170, payload, payload + rows * stride);
      arena.I.fill(0, length, length + rows);
    }
  }
}

/** A row; of a rule that goes by event time its time is that. */
function take(ring: Ring, seq: number, byEvents: boolean): Row {
  const at = seq & ring.mask;
  const cellOf = (column: Column): Cell => {
    const state = ring.arena.U[column.state + at]!;
    const bytes = column.length < 0 ? 0 : ring.arena.I[column.length + at]!;
    assert(bytes >= 0 && bytes <= column.slot, "a text is no longer than its place");
    if (state >= 64) return { value: null, state };
    return { state, value: column.kind !== "dyn" ? readCell(ring, column, seq)
      : new DynReader().read(ring.arena.U, column.payload + at * column.stride) };
  };
  const source = byEvents ? NaN : ring.arena.F[ring.sourceAt + at]!;
  return {
    time: ring.arena.F[(byEvents ? ring.sourceAt : ring.timeAt) + at]!,
    source: Number.isNaN(source) ? undefined : source,
    flags: ring.arena.U[ring.flagsAt + at]!,
    cells: new Map(ring.columns.map((column) => [column.name, cellOf(column)])),
  };
}

/** Fails on large arguments, and gives what is not finite for some. */
function results(args: readonly number[]): number[] | null {
  return args[0]! > 1e6 ? null : [args[0]! * 2 + args[1]!, args[0]! - args[1]!];
}

function model(): Model {
  const [given, out] = [new Float64Array(2), new Float64Array(2)];
  return {
    name: "m", inputs: [], outputs: [], bytes: 0, probe: 0, arguments: given, results: out,
      close() {},
    run() {
      const found = results([...given]);
      if (found !== null) out.set(found);
      return found !== null;
    },
  };
}

const begun: Beginning = { time: 1_700_000_000_123, seed: () => 2 ** 51 + 7 };

interface Link {
  readonly stage: Stage;
  readonly input: Ring;
  readonly output: Ring;
  readonly block: Block;
  cursor: number;
}

/** So often nothing is called for so few rows, unless it does not get on. */
const calls_max = 100_000;
/** So many rows nothing makes of so few, unless it does not end. */
const rows_max = 20_000;

/** Two, which machines take by turns: after a restart the state of before still lies in one. */
const arenas: Arena[] = [];

export function emptyArena(bytes: number): Arena {
  const last = arenas.shift();
  const arena = last !== undefined && last.U.length >= bytes ? last : Arena.create(bytes);
  for (const block of arena.blocks()) arena.give(block);
  if (arenas.length === 0) arenas.push(Arena.create(bytes));
  arenas.push(arena);
  return arena;
}

/** A program over rings, fed row by row, in random batches, and restarted in between. */
class Machine {
  readonly rows: Row[] = [];
  links!: Link[];
  restarts = 0;
  #input!: Ring;
  readonly #byEvents: boolean;
  #read = 0;
  #calls = 0;
  readonly #program: Program;
  readonly #newest: ReadonlyMap<string, Row>;

  constructor(program: Program, newest: ReadonlyMap<string, Row>) {
    this.#program = program;
    this.#newest = newest;
    this.#byEvents = program.stages[0]!.kind === "reorder";
    this.#build();
  }

  #build(): void {
    const [program, newest] = [this.#program, this.#newest];
    const bytes = program.stages.reduce((sum, stage) =>
      sum + stage.stateBytes + Ring.layout("out", stage.output, 16).bytes, 0);
    const arena = emptyArena(bytes * 2 + (1 << 21));
    if (this.rows.length > 0) arena.take(this.rows.length * 128, "something else");
    const ring = (name: string, specs: readonly ColumnSpec[], rows: number): Ring =>
      Ring.create(arena, Ring.layout(name, specs, rows)).ring;
    const rings = program.newest.map(({ tag, stream, column }) => {
      const made = ring(stream, [tags[column]!], 16);
      const row = newest.get(tag);
      if (row !== undefined) {
        // It has gone round before.
        for (let i = 0; i < 20; i++) {
          put(made, { ...row, time: row.time - 1e6,
            cells: new Map([[column, { value: -5, state: 0 }]]) });
        }
        put(made, row);
      }
      return made;
    });
    this.#input = ring("s", program.inputs[0]!.columns, 64);
    let from = this.#input;
    const links = program.stages.map((plan) => {
      const [input, output] = [from, (from = ring("out", plan.output, 16))];
      soil(output);
      const block = arena.take(Math.max(8, plan.stateBytes), "state");
      const stage = plan.kind === "infer"
        ? instantiateInfer(plan, { input, output, model: model(), deadline: 1, now: () => 0 })
        : instantiate(plan, { arena, input, output, newest: rings, state: block, begun });
      return { stage, input, output, block };
    });
    const stages = inTurn(byEventTime(links.map(({ stage }) => stage)));
    this.links = links.map((link, i) => ({ ...link, stage: stages[i]!, cursor: 0 }));
  }

  /** As after a kill: nothing is left but a copy of the state, and it lies elsewhere. */
  #restart(): void {
    const before = this.links;
    this.restarts += 1;
    this.#build();
    this.#read = 0;
    this.links.forEach(({ stage, block, output: { arena: { U } } }, i) => {
      const old = before[i]!;
      // Of this process: they are no state.
      Object.assign(stage.counters, old.stage.counters);
      for (const { at, bytes } of stateRanges(this.#program.stages[i]!)) {
        const from = old.block.at + at;
        U.set(old.output.arena.U.slice(from, from + bytes), block.at + at);
      }
    });
  }

  feed(rows: readonly Row[], each: boolean, r: Random): void {
    const restartChance = r.pick([0, 0.1, 0.3]);
    const most = r.pick([20, 64]);
    // Also as many as there is room for, and one more than a block of a kernel.
    const batch = r.chance(0.3) ? (): number => r.pick([33, 64, 64])
      : (): number => 1 + r.below(most);
    let i = 0;
    while (i < rows.length) {
      if (r.chance(restartChance)) this.#restart();
      const to = each ? i + 1 : Math.min(rows.length, i + batch());
      for (; i < to; i++) {
        put(this.#input, rows[i]!, this.#byEvents ? sourceOf(rows[i]!) : rows[i]!.source);
      }
      this.#turn(rows[to - 1]!.time, each);
      // Event time closes windows between the rows, too.
      if (this.#byEvents) this.close(rows[to - 1]!.time, each);
    }
  }

  close(time: number, each: boolean): void {
    for (const link of this.links) {
      do {
        assert(++this.#calls < calls_max, "a window closes");
        link.stage.tick(time, time);
        this.#turn(time, each);
      } while (link.stage.deadline <= time);
    }
  }

  /**
   * Until nothing is left; `each`: row by row at the row's own time, for what depends on it. A
   * stage
   * writes at most half a ring in one call, and what comes after it reads that before the next.
   */
  #turn(time: number, each: boolean, from = 0): void {
    const link = this.links[from];
    if (link === undefined) {
      const { output } = this.links.at(-1)!;
      for (; this.#read !== output.head; this.#read++) {
        this.rows.push(take(output, this.#read, this.#byEvents));
        assert(this.rows.length < rows_max, "a stage ends");
      }
      return;
    }
    const { input } = link;
    do {
      if (link.cursor !== input.head) {
        const to = each ? (link.cursor + 1) | 0 : input.head;
        const at = each ? input.arena.F[input.timeAt + (link.cursor & input.mask)]! : time;
        assert(++this.#calls < calls_max, "a stage goes on");
        link.cursor = link.stage.run(link.cursor, to, 0, at);
      }
      this.#turn(time, each, from + 1);
    } while (link.cursor !== input.head);
  }
}

const shown = (rows: readonly Row[]): string[] => rows.map((row) =>
  `${row.time}${row.source === undefined ? "" : ` of ${row.source}`} ${row.flags} ` +
  [...row.cells].map(([name, { value, state }]) => {
    const text = state >= 64 ? "" : exactly(value);
    return `${name}=${text}:${state}`;
  }).join(" "));

/** A random query, what it reads, and what the reference makes of it. */
export interface Case {
  readonly seed: number;
  readonly sql: string;
  /** Seed, query and what it is run with. */
  readonly title: string;
  readonly program: Program;
  /** Kinds of its stages. */
  readonly kinds: readonly string[];
  readonly features: readonly Feature[];
  /** How often its machines have been restarted. */
  readonly restarts: number;
  /** What it shall do with rows of its own seed, or of another. */
  expected(rowsSeed: number): Done;
  /** What a program does with the same rows: its own, or one that has been changed. */
  run(program: Program, rowsSeed: number): Done;
}

export interface Done {
  readonly rows: readonly string[];
  /** Rows counted as failed; null where the two count differently. */
  readonly errors: number | null;
  /** Rows for whose group there was no room; null where the two count differently. */
  readonly dropped: number | null;
  /** Groups that gave way to others; null likewise. */
  readonly evicted: number | null;
  /** Whether a call with state had no room for a key: how many tables it has is its own affair. */
  readonly full: boolean;
  /** Rows later than event time waits for. */
  readonly late: number;
}

/**
 * Rows in an order of arrival, a row at most so much behind a later one; some are later than that,
 * or without a time, unless it is to be orderly. Their time becomes that of their coming.
 */
function arriving(r: Random, rows: readonly Row[], late_ms: number, orderly: boolean): Row[] {
  const coming = rows.map((row) => {
    const delay = r.below(late_ms) + (!orderly && r.chance(0.1) ? 3 * late_ms : 0);
    const state = !orderly && r.chance(0.1) ? r.pick([1, NULL, ERROR.parse]) : 0;
    const cells = new Map(row.cells).set("at", { value: row.time, state });
    return { row: { ...row, cells }, at: row.time + delay };
  });
  return coming.toSorted((a, b) => a.at - b.at)
    .map(({ row }, i) => ({ ...row, source: undefined, time: 1_700_000_000_000 + 7 * i }));
}

/** The query of a seed, with expressions no deeper than that. */
export const queryOf = (seed: number, deepest = Infinity): string =>
  new Queries(createRandom(seed), deepest).query();

/** The case of a seed; null if the binder refuses it. */
export const caseOf = (seed: number, deepest = Infinity): Case | null =>
  caseFor(seed, queryOf(seed, deepest));

/** A query with the rows of a seed. */
export function caseFor(seed: number, sql: string): Case | null {
  // Not the numbers that the query is made of.
  const r = createRandom(seed ^ 0x2545f491);
  try {
    const query = bind(sql, catalog);
    // What depends on engine time cannot be told of event time.
    const event: EventTime | null = !readsClock(query) && r.chance(0.35)
      ? { late_ms: r.pick([0, 1, 30, 200]), idle_ms: null, ahead_ms: Infinity, rows: 64 } : null;
    const lineage = !nodesOf(query).some(({ kind }) => kind === "newest") && r.chance(0.5);
    // As on the way to a write.
    const strict = seed % 2 === 1;
    // No machine is written by a rule that sends errors.
    const sendError = !strict && r.chance(0.25);
    const options = { lineage, strict, eventTime: event, sendError };
    return new SqlCase(seed, sql, compile(sql, catalog, options), options);
  } catch (thrown) {
    if (thrown instanceof SqlFault) return null;
    throw new Error(`seed ${seed}: ${sql}`, { cause: thrown });
  }
}

const readsClock = (query: BoundQuery): boolean =>
  nodesOf(query).some(({ kind }) => kind === "clock" || kind === "newest");

interface Options {
  readonly lineage: boolean;
  readonly strict: boolean;
  readonly eventTime: EventTime | null;
  readonly sendError: boolean;
}

interface Input {
  readonly rows: Row[];
  readonly newest: ReadonlyMap<string, Row>;
  /** By event time: the rows as they go on. */
  readonly order: Ordered | null;
  readonly end: number;
  readonly r: Random;
}

/** What the stages of a program have counted, where the reference counts so, too. */
export function countedBy(program: Program, counters: readonly Stage["counters"][],
  counts: boolean, drops: boolean): Pick<Done, "errors" | "dropped" | "evicted" | "full"> {
  const sum = (of: "errors" | "dropped" | "evicted", stateful: boolean): number =>
    counters.reduce((n, c, i) => n +
      ((program.stages[i]!.kind === "stateful") === stateful ? c[of] ?? 0 : 0), 0);
  return { errors: counts ? sum("errors", false) + sum("errors", true) : null,
    dropped: drops ? sum("dropped", false) : null,
    evicted: drops ? sum("evicted", false) : null, full: sum("dropped", true) > 0 };
}

class SqlCase implements Case {
  readonly seed: number;
  readonly sql: string;
  readonly program: Program;
  readonly #options: Options;
  readonly #query: BoundQuery;
  /** What depends on engine time is the same row by row alone. */
  readonly #each: boolean;
  /**
   * A model changes when conditions are tested; rows of an open count window were tested by one
   * alone.
   */
  readonly #counts: boolean;
  /** By event time, and of rows, the last windows stay open: only code has looked at their rows. */
  readonly #drops: boolean;
  restarts = 0;

  constructor(seed: number, sql: string, program: Program, options: Options) {
    this.seed = seed;
    this.sql = sql;
    this.program = program;
    this.#options = options;
    this.#query = bind(sql, catalog);
    this.#each = readsClock(this.#query);
    const windows = queriesIn(this.#query).map(({ window }) => window);
    this.#counts = program.models.length === 0 && windows.every((w) => w?.kind !== "count");
    this.#drops = (options.eventTime === null || windows.every((w) => w === null)) &&
      windows.every((w) => w?.kind !== "count");
  }

  get title(): string {
    const { strict, eventTime, sendError } = this.#options;
    return `seed ${this.seed}${strict ? ", strict" : ""}${eventTime ? ", event time" : ""}` +
      `${sendError ? ", sendError" : ""}: ${this.sql}`;
  }

  /** Kinds of stages, and which kinds of windows come after a function with state. */
  get kinds(): string[] {
    const what = this.#query.aggregated ? "" : " rows";
    const kinds = this.program.stages.map((s) => s.kind !== "kept" ? s.kind
      : `kept ${s.window.kind}${what}${s.fold.slides ? " in order" : ""}`);
    if (queriesIn(this.#query).length > 1) return kinds.map((kind) => `query in FROM: ${kind}`);
    if (this.#options.eventTime !== null) return kinds.map((kind) => `event time: ${kind}`);
    return kinds.includes("stateful")
      ? kinds.map((kind) => (/^(?:kept|window|running)/.test(kind) ? `stateful → ${kind}` : kind))
      : kinds;
  }

  get features(): Feature[] {
    return featuresOf(this.#query, this.program, this.#options);
  }

  expected(rowsSeed: number): Done {
    const { rows, newest, order, end } = this.#input(rowsSeed);
    const { lineage, strict, sendError } = this.#options;
    const world: World = {
      end, lineage, strict, begun, infer: (_, args) => results(args),
      eventTime: order !== null && this.#options.eventTime!.late_ms > 0,
      newest: (index, time) => {
        const { tag, column } = this.#query.newest[index]!;
        const row = newest.get(tag);
        if (row === undefined) return { value: null, state: BAD.initial };
        const cell = row.cells.get(column.name)!;
        return time - row.time > 3 * poll_ms ? { ...cell, state: BAD.old } : cell;
      },
      newestFlags: (index) => newest.get(this.#query.newest[index]!.tag)?.flags ?? 0,
    };
    const done = evaluateQuery(this.#query, order?.rows ?? rows, world);
    return {
      rows: shown(sendError ? withErrors(done.rows) : done.rows), late: order?.late ?? 0,
      dropped: this.#drops ? done.dropped : null, full: done.full,
      evicted: this.#drops ? done.evicted : null,
      errors: this.#counts ? done.errors + (order?.errors ?? 0) : null,
    };
  }

  run(program: Program, rowsSeed: number): Done {
    const { rows, newest, end, r } = this.#input(rowsSeed);
    const machine = new Machine(program, newest);
    machine.feed(rows, this.#each, r);
    machine.close(end, this.#each);
    this.restarts += machine.restarts;
    const counters = machine.links.map(({ stage }) => stage.counters);
    return { rows: shown(this.#resultsOf(machine)), late: counters[0]!.late ?? 0,
      ...countedBy(program, counters, this.#counts, this.#drops) };
  }

  /** When it tells of rows that were left out is its own affair, but it tells of each once. */
  #resultsOf({ rows, links }: Machine): readonly Row[] {
    if (!this.#options.sendError) return rows;
    const { results, leftOut } = apart(rows);
    const failed = links.reduce((sum, { stage }, i) =>
      sum + (this.program.stages[i]!.kind === "infer" ? 0 : stage.counters.errors), 0);
    assert(leftOut === failed, `${failed} rows failed, it tells of ${leftOut}`);
    return results;
  }

  /** Random rows and newest values of a seed. */
  #input(seed: number): Input {
    const { eventTime: event, strict } = this.#options;
    const r = createRandom(seed);
    // Of rows that are missing a strict window may say more than it knows.
    const rows = event === null ? randomRows(r) : arriving(r, randomRows(r), event.late_ms, strict);
    const newest = new Map<string, Row>();
    for (const [name, spec] of Object.entries(tags)) {
      if (r.chance(0.8)) {
        newest.set(`dev.${name}`, { time: 1_700_000_000_000 + r.below(1500),
          flags: r.pick([0, 0, 1, 2, 4, 16]),
          cells: new Map([[name, cell(r, spec, { goodChance: 0.7, values: null, states })]]) });
      }
    }
    const order = event === null ? null : ordered(rows, sourceOf, event.late_ms);
    const end = order?.watermark ?? (rows.at(-1)?.time ?? 0) + 2000;
    if (order !== null && strict) assertOrder(rows, order);
    return { rows, newest, order, end, r };
  }
}

/** However rows come within the tolerance, they go on by their own time. */
function assertOrder(rows: readonly Row[], { rows: given, watermark, late }: Ordered): void {
  const times = rows.map((row) => row.cells.get("at")!.value as number)
    .filter((time) => time <= watermark).toSorted((a, b) => a - b);
  assert(late === 0 && String(given.map(({ time }) => time)) === String(times),
    "rows by event time are in its order");
}
