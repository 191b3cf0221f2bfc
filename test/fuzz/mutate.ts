import type { Random } from "../../src/base.ts";
import { piecesOf, queries } from "./corpus.ts";

const known = queries.map((sql) => ({ sql, pieces: piecesOf(sql) }));
const expressions = [...new Set(known.flatMap(({ sql, pieces }) =>
  pieces.map(({ from, to }) => sql.slice(from, to))))];
const token = /\s+|[A-Za-z_$][\w$]*|\d[\w.]*|'[^'\n]*'|"[^"\n]*"|`[^`]*`|[<>!-]?[=>]|./gs;
const tokens = [...new Set(queries.flatMap((sql) => sql.match(token) ?? []))];
const odd = ["__proto__", "constructor", "\u0000", "\uD800", "😀", "\n", "\t", "--", "/*", "*/", "'",
  "\"", "`", "\\", "9223372036854775808", "-9223372036854775808", "1e308", "1e309", "0x", "1.",
  "18446744073709551616", "NaN", "SELECT", "FROM", "(", ")", "[", "]", ",", ";", "->", "NULL",
  "9007199254740993", "0.1e-400", "1us", "99999999d", "*", "INTERVAL '1' DD", "m-01.slow"];
const functions = ["abs", "sum", "avg", "lag", "count", "cast", "coalesce", "isnull", "infer",
  "percentile_cont", "ewma", "regexp_matches", "window_start", "now", "concat", "unnest", "hour"];

const put = (text: string, from: number, to: number, piece: string): string =>
  text.slice(0, from) + piece + text.slice(to);

/** Bytes lost, doubled, replaced or foreign. */
function ofBytes(r: Random, sql: string): string {
  const from = r.below(sql.length + 1);
  const to = Math.min(sql.length, from + r.pick([0, 1, 1, 2, 8, 30]));
  switch (r.below(5)) {
    case 0: return put(sql, from, to, r.pick(odd));
    case 1: return put(sql, from, to, "");
    case 2: return put(sql, from, from, sql.slice(from, to));
    case 3: return sql.slice(0, from);
    default: return put(sql, from, from + 1, String.fromCharCode(r.below(r.pick([128, 65536]))));
  }
}

/** Words and marks lost, doubled, exchanged or from elsewhere. */
function ofTokens(r: Random, sql: string): string {
  const words = sql.match(token) ?? [];
  if (words.length === 0) return r.pick(tokens);
  const at = r.below(words.length);
  const other = r.below(words.length);
  switch (r.below(5)) {
    case 0: words.splice(at, 1); break;
    case 1: words[at] = r.pick(tokens); break;
    case 2: words.splice(at, 0, r.pick(tokens), " "); break;
    case 3: [words[at], words[other]] = [words[other]!, words[at]!]; break;
    default: words.splice(at, 0, ...words.slice(Math.min(at, other), Math.max(at, other)));
  }
  return words.join("");
}

/** An expression in the place of another: still right by the grammar. */
function ofGrammar(r: Random, sql: string): string {
  const pieces = known.find((k) => k.sql === sql)?.pieces ?? piecesOf(sql);
  if (pieces.length === 0) return ofTokens(r, sql);
  const { from, to } = r.pick(pieces);
  const old = sql.slice(from, to);
  switch (r.below(6)) {
    case 0: return put(sql, from, to, `(${r.pick(expressions)})`);
    case 1: return put(sql, from, to, r.pick(expressions));
    case 2: return put(sql, from, to, `${r.pick(functions)}(${old})`);
    case 3: return put(sql, from, to, `${r.pick(functions)}(${old}, ${r.pick(expressions)})`);
    case 4: return put(sql, from, to,
      `(${old} ${r.pick(["+", "-", "*", "/", "%", "&", "AND", "OR", "=", "<", "IN", "LIKE"])} ` +
      `${r.pick(expressions)})`);
    default: return put(sql, from, to,
      `CASE WHEN ${r.pick(expressions)} THEN ${old} ELSE ${r.pick(expressions)} END`);
  }
}

/** What is long: a place of a query many times over. */
function long(r: Random, sql: string): string {
  const times = r.pick([10, 100, 600, 3000, 20_000]);
  const many = (one: (i: number) => string, by: string): string =>
    Array.from({ length: times }, (_, i) => one(i)).join(by);
  const expr = r.pick(expressions);
  switch (r.below(10)) {
    case 0: return `SELECT ${many((i) => `a + ${i} AS x${i}`, ", ")} FROM s`;
    case 1: return `SELECT a FROM s WHERE ${many((i) => `${r.pick(["a", "b", "n"])} > ${i}`,
      r.pick([" OR ", " AND "]))}`;
    case 2: return `SELECT ${many((i) => `x${i + 1} * 2 AS x${i}`, ", ")} FROM s`;
    case 3: return `SELECT a AS x0, ${many((i) => `x${i} + x${i} AS x${i + 1}`, ", ")} FROM s`;
    case 4: return `SELECT ${"(".repeat(times)}a${")".repeat(times)} FROM s`;
    case 5: return `SELECT a${r.pick(["[0]", "->b", ".b", " + 1", "[1:2]"]).repeat(times)} FROM s`;
    case 6: return `SELECT ${many((i) => `sum(a + ${i})`, ", ")} FROM s ` +
      "GROUP BY TUMBLINGWINDOW(ss, 1)";
    case 7: return `SELECT ${many(() => expr, ", ")} FROM s`;
    case 8: return `SELECT a FROM s GROUP BY ${many(() => expr, ", ")}, COUNTWINDOW(3)`;
    default: {
      const at = r.below(sql.length + 1);
      const piece = sql.slice(at, at + r.pick([1, 2, 5, 20]));
      return put(sql, at, at, piece.repeat(times));
    }
  }
}

/** A damaged query; how much is wrong with it differs. */
export function mutant(r: Random): string {
  let sql = r.pick(known).sql;
  if (r.chance(0.0005)) return long(r, sql);
  const way = r.pick([ofBytes, ofTokens, ofGrammar, ofGrammar]);
  for (let n = r.pick([1, 1, 2, 3]); n > 0; n--) sql = way(r, sql);
  return r.chance(0.03) ? ofBytes(r, sql) : sql;
}

/** An expression by itself, as a permit has it. */
export const condition = (r: Random): string => {
  const text = r.pick(expressions);
  return r.chance(0.5) ? text : ofTokens(r, text);
};
