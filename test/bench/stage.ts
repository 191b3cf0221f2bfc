import { assert, createRandom } from "../../src/base.ts";
import { Arena, type ColumnSpec, Ring } from "../../src/ring.ts";
import {
  type Catalog, compile, explain, instantiate, type Program, type Stage,
} from "../../src/sql.ts";
import { type Figure, median } from "./figure.ts";

/** So many rows that no branch pattern repeats. */
const rows = 1 << 20;
const batch = 1024;
const rounds = 11;
/** Rounds before the figure's: until then the compiler's own thread may be at work. */
const warm = 5;
/** Rows of one turn of a loop, a sixteenth of the ring. */
const turn = 1 << 16;
const shapes = 300;

const columns: readonly ColumnSpec[] = [
  { name: "a", kind: "float64", slot: 0 },
  { name: "b", kind: "float64", slot: 0 },
];
const catalog: Catalog = {
  stream: (name) => (name === "s" ? { name, columns, interval_ms: 1 } : undefined),
  match: () => [], device: () => false, tag: () => undefined, model: () => undefined,
  names: () => ["s"],
};

/**
 * A compiled filter against a hand-written loop, a row alone, and many rules of different shapes.
 */
export async function run(): Promise<Figure[]> {
  const arena = Arena.create(256 << 20);
  const input = randomRing(arena);
  return [filter(arena, input), alone(arena, input), manyShapes(arena, input)];
}

function randomRing(arena: Arena): Ring {
  const random = createRandom(1);
  const { ring } = Ring.create(arena, Ring.layout("s", columns, rows));
  const { F, U } = arena;
  const [a, b] = ring.columns;
  for (let i = 0; i < rows; i++) {
    F[ring.timeAt + i] = i + 1;
    F[ring.sourceAt + i] = NaN;
    F[a!.payload + i] = random.next() * 100;
    F[b!.payload + i] = random.next() * 100;
    U[a!.state + i] = random.chance(0.01) ? 67 : 0;
    U[b!.state + i] = random.chance(0.01) ? 1 : 0;
  }
  return ring;
}

interface Rule {
  readonly program: Program;
  readonly stage: Stage;
  readonly output: Ring;
}

function start(arena: Arena, input: Ring, sql: string, outputRows: number): Rule {
  const program = compile(sql, catalog);
  assert(program.stages.length === 1, "one stage");
  const plan = program.stages[0]!;
  const output = Ring.create(arena, Ring.layout("out", program.output, outputRows)).ring;
  const state = arena.take(plan.stateBytes, "state");
  return { program, output, stage: instantiate(plan, { arena, input, output, newest: [], state }) };
}

function filter(arena: Arena, input: Ring): Figure {
  const rule = start(arena, input, "SELECT a, a + b AS y FROM s WHERE a > 50", 2 * batch);
  const text = rule.program.stages[0]!.text;
  assert(text !== "" && explain(rule.program).includes(text),
    "explain prints the kernel that runs");
  const hand = Ring.create(arena, Ring.layout("hand", rule.output.layout.columns, 2 * batch)).ring;
  const loop = handWritten(input, hand);
  const byHand = (from: number): void => {
    hand.claim(batch);
    hand.publish((loop(from, (from + batch) | 0, hand.head) - hand.head) | 0);
  };
  const byRule = (from: number): void => {
    rule.stage.run(from, (from + batch) | 0, 0, 0);
  };
  for (let from = 0; from < rows; from += batch) {
    byHand(from);
    byRule(from);
    assertEqual(hand, rule.output);
  }
  const ours: number[] = [], theirs: number[] = [];
  for (let round = 0; round < warm + rounds; round++) {
    const [mine, baseline] = speeds(byRule, byHand);
    if (round >= warm) {
      ours.push(mine);
      theirs.push(baseline);
    }
  }
  const ratio = median(ours.map((speed, i) => speed / theirs[i]!));
  return figure("filter", ours, "rows/s", "hand-written", ratio);
}

/** The fastest loop a person would write: no jump on the data, every number a constant. */
function handWritten(input: Ring, output: Ring): (from: number, to: number, head: number) =>
  number {
  const { F, U } = input.arena;
  const [a, b] = input.columns.map((c) => c.payload) as [number, number];
  const [aState, bState] = input.columns.map((c) => c.state) as [number, number];
  const [outA, outY] = output.columns.map((c) => c.payload) as [number, number];
  const [outAState, outYState] = output.columns.map((c) => c.state) as [number, number];
  const { timeAt, sourceAt, flagsAt, mask } = input;
  const { timeAt: outTime, sourceAt: outSource, flagsAt: outFlags, mask: outMask } = output;
  return (from, to, head) => {
    let seq = head;
    for (let i = from; i !== to; i = (i + 1) | 0) {
      const r = i & mask, w = seq & outMask;
      const x = F[a + r]!, state = U[aState + r]!, other = U[bState + r]!;
      F[outTime + w] = F[timeAt + r]!;
      F[outSource + w] = F[sourceAt + r]!;
      U[outFlags + w] = U[flagsAt + r]!;
      F[outA + w] = x;
      U[outAState + w] = state;
      F[outY + w] = x + F[b + r]!;
      U[outYState + w] = state > other ? state : other;
      seq = (seq + (Number(state < 64) & Number(x > 50))) | 0;
    }
    return seq;
  };
}

/** The rows that both published last. */
function assertEqual(expected: Ring, actual: Ring): void {
  assert(expected.head === actual.head, `${actual.head} rows, by hand ${expected.head}`);
  const { F, U } = expected.arena;
  for (let i = 1; i <= batch / 2; i++) {
    const row = (expected.head - i) & expected.mask;
    assert(F[expected.timeAt + row] === F[actual.timeAt + row], `time of row ${row}`);
    expected.columns.forEach((column, c) => {
      const other = actual.columns[c]!;
      assert(Object.is(F[column.payload + row], F[other.payload + row]),
        `${column.name} of row ${row}`);
      assert(U[column.state + row] === U[other.state + row],
        `state of ${column.name} of row ${row}`);
    });
  }
}

/**
 * Rows a second of both over the whole ring. They take turns of a fraction of a millisecond, of
 * which the median counts: what else the machine does interrupts a few of them. Neither reads what
 * the other has just brought into the cache.
 */
function speeds(one: (from: number) => void, other: (from: number) => void): [number, number] {
  const mine: number[] = [], theirs: number[] = [];
  for (let from = 0; from < 4 * rows; from += turn) {
    mine.push(elapsed(one, from));
    theirs.push(elapsed(other, from + rows / 2));
  }
  return [(turn * 1000) / median(mine), (turn * 1000) / median(theirs)];
}

/** Milliseconds of one turn. */
function elapsed(step: (from: number) => void, start: number): number {
  const started = performance.now();
  for (let from = start; from < start + turn; from += batch) step(from);
  return performance.now() - started;
}

function alone(arena: Arena, input: Ring): Figure {
  const { stage } = start(arena, input, "SELECT a, a + b AS y FROM s WHERE a > 50 AND b < 80", 16);
  const times: number[] = [];
  for (let round = 0; round < rounds + 2; round++) {
    const started = performance.now();
    for (let i = 0; i < 1_000_000; i++) stage.run(i, i + 1, 0, 0);
    if (round >= 2) times.push(performance.now() - started);
  }
  return figure("one row alone", times, "ns", "", null);
}

const operators = ["+", "-", "*", "/", "%"];
const comparisons = [">", "<", ">=", "<=", "!="];

/** 5 × 5 × 12 queries, no two of which have the same operators in the same places. */
function query(shape: number): string {
  const first = operators[shape % 5]!, second = operators[Math.floor(shape / 5) % 5]!;
  const third = Math.floor(shape / 25);
  const test = comparisons[third % 5]!;
  const more = third >= 5 ? ` OR b ${comparisons[(third - 5) % 5]} 10` : "";
  const extra = third >= 10 ? ", a" : "";
  return `SELECT a ${first} b ${second} 3 AS y${extra} FROM s WHERE a ${test} 50${more}`;
}

function manyShapes(arena: Arena, input: Ring): Figure {
  const rules = Array.from({ length: shapes }, (_, i) => start(arena, input, query(i), 16));
  const texts = new Set(rules.map((rule) => rule.program.stages[0]!.text));
  assert(texts.size === shapes, `${texts.size} shapes`);
  const times: number[] = [];
  const each = 10_000;
  for (let round = 0; round < rounds + 2; round++) {
    const started = performance.now();
    for (let i = 0; i < each; i++) for (const { stage } of rules) stage.run(i, i + 1, 0, 0);
    if (round >= 2) times.push(((performance.now() - started) * 1e6) / (each * shapes));
  }
  return figure(`${shapes} shapes, a row and rule`, times, "ns", "", null);
}

function figure(
  metric: string, values: number[], unit: string, baseline: string, ratio: number | null,
): Figure {
  return {
    bench: "stage", metric, median: median(values), min: Math.min(...values),
      max: Math.max(...values),
    unit, baseline, ratio,
  };
}
