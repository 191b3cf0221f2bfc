import { Database } from "bun:sqlite";
import { join } from "node:path";
import { assert, createRandom, type Random } from "../../src/base.ts";
import { connectors, drivers, tables } from "../../src/registry.ts";
import { examineTexts } from "../../src/cli/examine.ts";
import { Arena, Ring } from "../../src/ring.ts";
import { stateBytes } from "../../src/runtime/blocks.ts";
import { Gather } from "../../src/runtime/gather.ts";
import { LookupCache } from "../../src/runtime/lookup.ts";
import { RuleRunner } from "../../src/runtime/rule.ts";
import { instantiate, instantiateLookup } from "../../src/sql.ts";
import { workFolder } from "../support/binary.ts";
import { type Figure, median } from "./figure.ts";
import {
  aggregateByHand, filterByHand, joinByHand, lagByHand, lookupByHand, percentileByHand, type ByHand,
} from "./sql-by-hand.ts";

/** Rows that are read at once, one a millisecond; and so often. */
export const batch = 1024;
const batches = Number(process.env["BENCH_BATCHES"] ?? 600);
/**
 * Batches before it counts: a gateway runs for months, and until then the compiler is at work, with
 * the short code by hand sooner than with all that a rule runs through.
 */
const warm = 5000;
const groups = 1000;
/** Times the median; a window that closes takes a few. */
const interrupted = 20;

interface Case {
  readonly name: string;
  readonly sql: string;
  readonly byHand: (inputs: readonly Ring[], output: Ring) => ByHand;
  /** Rows a batch, where a row costs much. */
  readonly rows?: number;
  /** Some cells are bad or uncertain. */
  readonly mixed?: boolean;
  /** Ratio that it must reach. */
  readonly bound?: number;
}

const cases: readonly Case[] = [
  { name: "filter", bound: 0.8, mixed: true, byHand: filterByHand,
    sql: "SELECT k, a, a + b AS y FROM s WHERE a > 50" },
  { name: `4 aggregates by ${groups} keys, tumbling`, bound: 0.5, mixed: true,
    byHand: aggregateByHand,
    sql: "SELECT k, count(*) AS n, avg(a) AS mean, min(a) AS low, max(b) AS high FROM s " +
      `GROUP BY k KEYS ${groups}, TUMBLINGWINDOW(ss, 10)` },
  { name: "percentile over a sliding 200 ms, for each row", rows: 64, byHand: percentileByHand,
    sql: "SELECT percentile_disc(a, 0.9) AS p FROM s GROUP BY SLIDINGWINDOW(ms, 200)" },
  { name: "two streams joined in a window of 1 s", byHand: joinByHand,
    sql: "SELECT s.k, s.a, u.b AS other FROM s JOIN u ON s.k = u.k " +
      "GROUP BY TUMBLINGWINDOW(ss, 1)" },
  { name: "lookup join, all rows cached", byHand: lookupByHand,
    sql: "SELECT k, a, parts.weight FROM s JOIN parts ON parts.id = k" },
  { name: "lag and had_changed", byHand: lagByHand,
    sql: "SELECT a, lag(a) AS before, had_changed(TRUE, k) AS other FROM s" },
];

/**
 * Must-show D of the SQL engine: whole rules, as the runtime runs them, against the same job
 * written by hand over the same arrays. What both give is compared row by row.
 */
export async function run(): Promise<Figure[]> {
  const wanted = process.env["BENCH_CASES"]?.split(",");
  const found: Figure[] = [];
  for (const one of cases) {
    if (wanted === undefined || wanted.some((word) => one.name.includes(word))) {
      found.push(await measure(one));
    }
  }
  return found;
}

async function measure(
  { name, sql, byHand, rows = batch, bound, mixed = false }: Case,
): Promise<Figure> {
  const folder = workFolder();
  try {
    const { runner, inputs, cache } = await start(sql, folder.path);
    const { layout } = runner.output;
    const hand = Ring.create(Arena.create(2 * layout.bytes), layout).ring;
    const other = byHand(inputs, hand);
    const random = createRandom(1);
    const mine: number[] = [], theirs: number[] = [];
    for (let n = 0; n < warm + batches; n++) {
      const [from, now] = [n * rows, (n + 1) * rows];
      for (const ring of inputs) fill(ring, from, rows, random, mixed);
      const [before, beforeHand] = [runner.output.head, hand.head];
      // The table answers what is not known yet when this function rests.
      if (cache !== undefined && n < warm) {
        while (!drive(runner, cache, now)) await Bun.sleep(0);
      }
      let begin = performance.now();
      while (!drive(runner, cache, now));
      const took = performance.now() - begin;
      begin = performance.now();
      other(from, from + rows, now);
      const tookHand = performance.now() - begin;
      compare(name, runner.output, before, hand, beforeHand);
      if (n < warm) continue;
      mine.push(took);
      theirs.push(tookHand);
    }
    assert(runner.lost === 0 && hand.head > 0, `${name}: all rows were read, and some came out`);
    // A window works when it closes: sums count, of ten parts, and of these the median.
    const parts = partsOf(mine, theirs);
    const speeds = parts.map((part) => rows * part.batches * 1000 / part.mine);
    const ratios = parts.map((part) => part.theirs / part.mine);
    return { bench: "sql", metric: name + (bound === undefined ? "" : `, bound ${bound}`),
      median: median(speeds), min: Math.min(...speeds), max: Math.max(...speeds),
      unit: "rows/s", baseline: "by hand", ratio: median(ratios) };
  } finally {
    folder.remove();
  }
}

/**
 * Ten parts of what was measured. A batch in which the machine did something else took many times
 * as long as any other; it does not count, and neither does what it is compared with.
 */
function partsOf(mine: readonly number[], theirs: readonly number[]) {
  const [most, mostByHand] = [interrupted * median(mine), interrupted * median(theirs)];
  const pairs = mine.map((took, i) => [took, theirs[i]!] as const)
    .filter(([took, byHand]) => took < most && byHand < mostByHand);
  const n = Math.floor(pairs.length / 10);
  return Array.from({ length: 10 }, (_, i) => {
    const part = pairs.slice(i * n, (i + 1) * n);
    return { batches: n, mine: part.reduce((sum, [took]) => sum + took, 0),
      theirs: part.reduce((sum, [, byHand]) => sum + byHand, 0) };
  });
}

/** One turn; true if all that has come is worked off. */
function drive(runner: RuleRunner, cache: LookupCache | undefined, now: number): boolean {
  const more = runner.run(now, now);
  cache?.step(now);
  return !more && runner.deadline > now &&
    runner.places.every(({ ring, cursor }) => ring.head === cursor) &&
    runner.links.every(({ ring, cursor }) => ring.head === cursor);
}

/** A rule with its rings, as a role makes it. */
async function start(sql: string, folder: string) {
  const database = join(folder, "parts.sqlite");
  using db = new Database(database);
  db.run("CREATE TABLE parts (id INTEGER PRIMARY KEY, weight REAL)");
  for (let id = 0; id < groups; id++) db.run("INSERT INTO parts VALUES (?, ?)", [id, id * 1.5]);
  const stream = { type: "mqtt", link: "broker", topic: "in", rowsPerSecond: 1000,
    columns: { k: "int32", a: "float64", b: "float64" } };
  const { graph, texts } = examineTexts("gateway.json", { policy: "", config: JSON.stringify({
    gateway: { id: "sql", profile: "generic-1gb" },
    links: { broker: { type: "mqtt", host: "127.0.0.1" } },
    sources: { s: stream, u: stream },
    tables: { parts: { type: "sqlite", file: database, query: "SELECT id, weight FROM parts",
      key: "id", columns: { id: "int32", weight: "float64" }, ttl: "1d" } },
    rules: { r: { sql, to: [] } }, store: { directory: folder },
  }) }, { drivers, connectors, tables }, null);
  assert(graph !== null, texts.join("\n"));
  const plan = graph.rules[0]!;
  const { program } = plan;
  const arena = Arena.create(1 << 26);
  const layoutOf = (name: string) => graph.streams.find((one) => one.name === name)!.layout;
  const names = program.inputs.flatMap(({ streams }) => streams);
  const inputs = names.map((name) => Ring.create(arena, layoutOf(name)).ring);
  const byName = new Map(names.map((name, i) => [name, inputs[i]!]));
  const gathered = plan.gather === null ? null : Ring.create(arena, plan.gather).ring;
  // Whoever compares sees all rows of a batch.
  const last = plan.layouts.at(-1)!;
  const layouts = [...plan.layouts.slice(0, -1), Ring.layout("r", last.columns, 1 << 14)];
  const rings = [gathered ?? inputs[0]!,
    ...layouts.map((layout) => Ring.create(arena, layout).ring)];
  const cache = program.tables.length === 0 ? undefined : cacheOf(graph.tables[0]!, arena);
  const runner = new RuleRunner(plan, {
    window: null, rings, models: [], blocks: [], states: [], alarms: [],
    gather: () => (gathered === null ? null : new Gather(program.inputs, byName, gathered)),
    stages: () => program.stages.map((stage, i) => (stage.kind === "lookup"
      ? instantiateLookup(stage, { input: rings[i]!, output: rings[i + 1]!, table: cache! })
      : instantiate(stage, { arena, input: rings[i]!, output: rings[i + 1]!, newest: [],
        state: arena.take(stateBytes(stage), "state") }))),
  });
  runner.begin();
  return { runner, inputs, cache };
}

function cacheOf(plan: ConstructorParameters<typeof LookupCache>[0], arena: Arena): LookupCache {
  const { type, settings, key } = plan.table;
  const { open } = tables.find((table) => table.type === type)!;
  return new LookupCache(plan, arena, open(settings, { columns: plan.layout.columns, key }),
    () => {});
}

function fill(ring: Ring, from: number, rows: number, random: Random, mixed: boolean): void {
  const { F, U } = ring.arena;
  const [k, a, b] = ["k", "a", "b"].map((name) => ring.column(name)!);
  ring.claim(rows);
  for (let i = 0; i < rows; i++) {
    const r = (from + i) & ring.mask;
    F[ring.timeAt + r] = from + i;
    F[ring.sourceAt + r] = NaN;
    U[ring.flagsAt + r] = 0;
    F[k!.payload + r] = Math.floor(random.next() * groups);
    F[a!.payload + r] = random.next() * 100;
    F[b!.payload + r] = random.next() * 100;
    U[k!.state + r] = 0;
    for (const column of [a, b]) {
      U[column!.state + r] = !mixed ? 0 : random.chance(0.01) ? 67 : random.chance(0.01) ? 1 : 0;
    }
  }
  ring.publish(rows);
}

/** What came out since `before`: as many rows, and in each the same values in the same states. */
function compare(name: string, mine: Ring, before: number, hand: Ring, beforeHand: number): void {
  const rows = (mine.head - before) | 0;
  assert(rows === ((hand.head - beforeHand) | 0),
    `${name}: ${rows} rows, by hand ${(hand.head - beforeHand) | 0}`);
  const [{ F, U }, other] = [mine.arena, hand.arena];
  for (let i = 0; i < rows; i++) {
    const [r, w] = [(before + i) & mine.mask, (beforeHand + i) & hand.mask];
    mine.columns.forEach((column, c) => {
      const theirs = hand.columns[c]!;
      const [state, theirState] = [U[column.state + r]!, other.U[theirs.state + w]!];
      const [value, theirValue] = [F[column.payload + r]!, other.F[theirs.payload + w]!];
      assert(state === theirState && (state > 63 || Object.is(value, theirValue)),
        `${name}, row ${i}, ${column.name}: ${value} (${state}), by hand ${theirValue} ` +
          `(${theirState})`);
    });
  }
}
