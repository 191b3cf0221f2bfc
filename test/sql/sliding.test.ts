import { describe, expect, test } from "bun:test";
import { createRandom, type Random } from "../../src/base.ts";
import { Arena, BAD, type ColumnSpec, NULL, Ring } from "../../src/ring.ts";
import { type AggregateName, type BoundAggregate } from "../../src/sql/bound.ts";
import { type Catalog, compile, instantiate } from "../../src/sql.ts";
import { aggregate } from "../evaluate/aggregate.ts";
import type { Cell } from "../evaluate/value.ts";

const a: ColumnSpec = { name: "a", kind: "float64", slot: 0 };
const catalog: Catalog = {
  stream: (name) => ({ name, columns: [a], interval_ms: 10 }), match: () => [],
  device: () => false, tag: () => undefined, model: () => undefined, names: () => [],
};

/** What each aggregate of the select list below is, for the slow reference. */
const wanted: readonly (readonly [AggregateName, number])[] = [
  ["percentile_cont", 0.5], ["percentile_disc", 0.9], ["percentile_cont", 0.95], ["min", 0],
];
const select = "median(a) AS m, percentile_disc(a, 0.9) AS d, percentile_cont(a, 0.95) AS c";

interface Kept { readonly time: number; readonly flags: number; readonly cell: Cell }

const values = [0, -0, 1, 2, 2, 3.5, -7, 1e300, NaN, Infinity, -Infinity];

function next(random: Random, time: number): Kept {
  const state = random.pick([0, 0, 0, 0, 0, 0, 1, 40, 63, BAD.timeout, NULL, 193]);
  const value = random.chance(0.5) ? random.pick(values) : Math.round(random.next() * 100) / 4;
  return { time, flags: random.chance(0.1) ? 4 : 0, cell: { value, state } };
}

function refer(rows: readonly Kept[], [fn, fraction]: (typeof wanted)[number]): Cell {
  const type = { kind: "float64", slot: 0 } as const;
  return aggregate({ fn, skipsNull: true, type, settings: [fraction],
    arg: {} } as unknown as BoundAggregate, [rows.map(({ cell }) => cell)], rows.length, false);
}

/** Rows one by one or several at once, the window's content after each; ours and the reference. */
function compare(
  query: string, seed: number, columns: number, content: (rows: readonly Kept[]) => readonly Kept[],
): void {
  const random = createRandom(seed);
  const program = compile(query, catalog);
  const [plan] = program.stages;
  expect(program.stages.length === 1 && plan!.kind === "kept" && plan.fold.slides).toBe(true);
  const arena = Arena.create(1 << 20);
  const ring = (specs: readonly ColumnSpec[], rows: number): Ring =>
    Ring.create(arena, Ring.layout("r", specs, rows)).ring;
  const [input, output] = [ring([a], 256), ring(plan!.output, 256)];
  const stage = instantiate(plan!, { arena, input, output, newest: [],
    state: arena.take(plan!.stateBytes, "state") });
  const { F, U } = arena;
  const rows: Kept[] = [];
  let time = 1000, read = 0, seen = 0;
  while (rows.length < 1500) {
    const n = 1 + random.below(6);
    input.claim(n);
    for (let i = 0; i < n; i++) {
      time += random.pick([0, 1, 1, 2, 30]);
      const row = next(random, time), r = (input.head + i) & input.mask;
      rows.push(row);
      F[input.timeAt + r] = time;
      U[input.flagsAt + r] = row.flags;
      F[input.columns[0]!.payload + r] = row.cell.value as number;
      U[input.columns[0]!.state + r] = row.cell.state;
    }
    input.publish(n);
    while (read !== input.head) read = stage.run(read, input.head, time, time);
    for (; seen !== output.head; seen++) {
      const window = content(rows.slice(0, seen + 1)), w = seen & output.mask;
      expect(U[output.flagsAt + w]).toBe(window.reduce((all, { flags }) => all | flags, 0));
      output.columns.slice(0, columns).forEach((column, i) => {
        const { value, state } = refer(window, wanted[i]!);
        expect([seen, column.name, U[column.state + w]]).toEqual([seen, column.name, state]);
        if (state < 64) expect(F[column.payload + w]).toBe(value as number);
      });
    }
  }
  expect(seen).toBe(rows.length);
}

describe("values that stand in order are those of the window", () => {
  const within = (ms: number) => (rows: readonly Kept[]): readonly Kept[] =>
    rows.filter(({ time }) => time >= rows.at(-1)!.time - ms);

  test.each([1, 2, 3])("a sliding window, seed %d", (seed) => {
    compare(`SELECT ${select} FROM s GROUP BY SLIDINGWINDOW(ms, 20)`, seed, 3,
      (rows) => within(20)(rows).slice(-16));
  });

  test.each([4, 5])("beside what is made anew, seed %d", (seed) => {
    compare(`SELECT ${select}, min(a) AS least FROM s GROUP BY SLIDINGWINDOW(ms, 20)`, seed, 4,
      (rows) => within(20)(rows).slice(-16));
  });

  test.each([6, 7])("a full ring loses its oldest rows, seed %d", (seed) => {
    compare(`SELECT ${select} FROM s GROUP BY SLIDINGWINDOW(ms, 400)`, seed, 3,
      (rows) => within(400)(rows).slice(-64));
  });

  test("only rows that pass WHERE", () => {
    compare(`SELECT ${select} FROM s WHERE a > 1.0 OR a IS NULL GROUP BY SLIDINGWINDOW(ms, 100)`,
      8, 3, (rows) => within(100)(rows).slice(-16).filter(({ cell: { value, state } }) =>
        state >= 64 || (value as number) > 1));
  });
});
