import { expect, test } from "bun:test";
import { createRandom, limits } from "../../src/base.ts";
import { bind } from "../../src/sql/bind.ts";
import { compileConditions } from "../../src/sql/compile.ts";
import { parse } from "../../src/sql/create.ts";
import { SqlFault } from "../../src/sql/fault.ts";
import { plan } from "../../src/sql/plan.ts";
import { Steps } from "../../src/sql/steps.ts";
import { catalog } from "./corpus.ts";
import { condition, mutant } from "./mutate.ts";

const count = Number(process.env.SOAK_COUNT ?? 4000);
const seed = Number(process.env.SOAK_SEED ?? Date.now() % 1_000_000_000);

/** What has been seen, for the line that the soak prints. */
const seen = { accepted: 0, codes: new Map<string, number>(), steps: 0, ms: 0, slowest: "" };
const findings: string[] = [];

/** Text → stages, whose kernels are right JavaScript. */
function understand(sql: string, random: number, steps: Steps): void {
  if (random < 0.1) {
    parse(sql);
    return;
  }
  const query = bind(sql, catalog, steps);
  const program = plan(query, catalog,
    { lineage: random > 0.7, strict: random > 0.85, eventTime: null, emptyWindows: false,
      sendError: random > 0.5 });
  for (const stage of program.stages) {
    if (stage.kind === "infer") continue;
    for (const text of [stage.text, "emitText" in stage ? stage.emitText : ""]) {
      if (text !== "" && stage.kind !== "kept") new Function(`"use strict"; return ${text}`);
    }
  }
}

/** What is wrong with the place that a fault tells and shows, or null. */
function misplaced(fault: SqlFault, sql: string): string | null {
  const { line, column, message, caret } = fault;
  // What follows a character 0 is another text, and such a query is refused.
  const text = sql.split("\0")[0]!.split("\n")[line - 1];
  if (text === undefined || column < 1 || column > text.length + 1) return `${line}:${column}`;
  if (!message.startsWith(`${line}:${column}: `)) return message;
  if (/undefined|\[object|NaN/.test(message) && !/undefined|object|NaN/.test(sql)) return message;
  const [shown, mark] = caret.split("\n") as [string, string];
  const part = shown.replace(/^…|…$/g, "");
  const from = column - 1 - (mark.indexOf("^") - (shown.startsWith("…") ? 1 : 0));
  const right = /^ *\^+$/.test(mark) && mark.length <= Math.max(1, shown.length) + 1 &&
    (text.length <= 90 ? shown === text.replaceAll("\t", " ")
      : text.replaceAll("\t", " ").startsWith(part, from));
  return right ? null : `caret of ${message}: ${caret}`;
}

function one(caseSeed: number): void {
  const r = createRandom(caseSeed);
  const asCondition = r.chance(0.1);
  const sql = asCondition ? condition(r) : mutant(r);
  const steps = new Steps(sql);
  const way = r.next();
  const before = process.cpuUsage();
  try {
    if (asCondition) compileConditions([sql], catalog);
    else understand(sql, way, steps);
    seen.accepted += 1;
  } catch (thrown) {
    const wrong = thrown instanceof SqlFault ? misplaced(thrown, sql) : String(thrown);
    if (wrong !== null) findings.push(`seed ${caseSeed}: ${wrong}: ${sql.slice(0, 400)}`);
    const code = thrown instanceof SqlFault ? thrown.code : "crash";
    seen.codes.set(code, (seen.codes.get(code) ?? 0) + 1);
  }
  const { user, system } = process.cpuUsage(before);
  const ms = (user + system) / 1000;
  if (ms > seen.ms) {
    [seen.ms, seen.slowest] = [ms, `seed ${caseSeed}: ${sql.slice(0, 100)}`];
  }
  seen.steps = Math.max(seen.steps, steps.taken);
}

test(`a damaged query is understood or refused with its place (${count} from seed ${seed})`, () => {
  for (let i = 0; i < count; i++) one(seed + i);
  console.log(`${count} queries: ${seen.accepted} accepted, refused`,
    Object.fromEntries(seen.codes), `at most ${seen.steps} steps; ` +
    `worst CPU time ${seen.ms.toFixed(0)} ms (${seen.slowest})`);
  expect(findings.slice(0, 20)).toEqual([]);
  expect(seen.accepted).toBeGreaterThan(count / 100);
  expect(seen.codes.size).toBeGreaterThan(5);
  expect(seen.steps).toBeLessThanOrEqual(limits.query_steps_max + 4096);
}, 7_200_000);

test("a query past the bound of its steps is refused by name and place", () => {
  const sql = `SELECT a FROM s WHERE a IN (${Array.from({ length: 300_000 }, () => 1).join(",")})`;
  const steps = new Steps(sql);
  let fault: unknown;
  try {
    bind(sql, catalog, steps);
  } catch (thrown) {
    fault = thrown;
  }
  expect(fault).toBeInstanceOf(SqlFault);
  expect((fault as SqlFault).code).toBe("too-large");
  expect((fault as SqlFault).message).toContain("query_steps_max");
  expect(steps.taken).toBeLessThanOrEqual(limits.query_steps_max + 1);
});

test.each([
  ["aliases", "SELECT " + Array.from({ length: 9000 }, (_, i) => `x${i + 1} + 1 AS x${i}`)
    .join(", ") + ", a AS x9000 FROM s"],
  ["paths", `SELECT a${"->b".repeat(60_000)} FROM s`],
  ["subscripts", `SELECT a${"[0]".repeat(60_000)} FROM s`],
  ["brackets", `SELECT ${"(".repeat(60_000)}a FROM s`],
  ["types", `CREATE STREAM s (a ${"ARRAY(".repeat(60_000)}`],
])("what stands inside itself too often is refused, not a stack that overflows: %s", (_, sql) => {
  expect(() => (sql.startsWith("CREATE") ? parse(sql) : bind(sql, catalog)))
    .toThrow("expression_levels_max");
});

test.each([["columns_max", 600], ["kernel_chars_max", 200]])(
  "functions with state that would be too much are refused by %s", (bound, calls) => {
    const call = "changed_cols('', true, a, *, c)";
    const sql = `SELECT ${Array.from({ length: calls }, () => call).join(", ")} FROM s`;
    expect(() => plan(bind(sql, catalog), catalog, { lineage: false, strict: false,
      eventTime: null, emptyWindows: false, sendError: false })).toThrow(bound);
  });

test("a long chain of OR makes a kernel that grows with it, not one that doubles", () => {
  const size = (n: number): number => {
    const test = Array.from({ length: n }, (_, i) => `${i % 2 ? "a" : "b"} = c + ${i}`);
    const sql = `SELECT a FROM s WHERE ${test.join(" OR ")}`;
    const program = plan(bind(sql, catalog), catalog,
      { lineage: false, strict: false, eventTime: null, emptyWindows: false, sendError: false });
    return program.stages.reduce((sum, stage) => sum + stage.text.length, 0);
  };
  expect(size(400)).toBeLessThan(12 * size(40));
});
