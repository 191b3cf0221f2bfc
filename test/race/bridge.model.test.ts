import { expect, test } from "bun:test";
import type { Ring } from "../../src/ring.ts";
import { barriers, loadRing, weaken, type RingModule } from "./variant.ts";
import { explore, Recorder, type Scenario } from "./weak-memory.ts";

/** Sequences run over the int32 wrap. */
const start = 0x7ffffffe;
const at = (n: number): number => (start + n) | 0;

function makeRing(module: RingModule, rows: number): Ring {
  const layout = module.Ring.layout("shared", [module.tagColumn("x", "float64")], rows);
  const { ring } = module.Ring.create(module.Arena.create(layout.bytes), layout);
  for (const index of [ring.headAt, ring.claimAt, ring.cursorAt]) ring.arena.I[index] = start;
  return ring;
}

/** The same ring, whose arena records what is done to it. */
function watch(recorder: Recorder, ring: Ring): Map<number, number> {
  const { F, I, U } = ring.arena;
  Object.assign(ring.arena, recorder.watch({ F, I, U }));
  return new Map([ring.headAt, ring.claimAt, ring.cursorAt].map((index) => [index * 4, start]));
}

function put(ring: Ring, seq: number): void {
  ring.arena.F[ring.timeAt + (seq & ring.mask)] = seq;
  ring.arena.F[ring.columns[0]!.payload + (seq & ring.mask)] = seq;
}

/** What row `at` of a ring says it is; null if its cells disagree. */
function rowOf(ring: Ring, seq: number): number | null {
  const time = ring.arena.F[ring.timeAt + (seq & ring.mask)]!;
  return time === ring.arena.F[ring.columns[0]!.payload + (seq & ring.mask)] ? time : null;
}

interface Shape {
  readonly name: string;
  /** Rows claimed and rows published, one pair a batch. */
  readonly batches: readonly (readonly [claim: number, publish: number])[];
  readonly budget: number;
}

const twos = [[2, 2], [2, 2], [1, 1]] as const;
const over = [[1, 1], [2, 1], [2, 1], [1, 1]] as const;

/**
 * A ring of two rows that is lapped twice, by two readers. A reader stores nothing that anybody
 * else loads (the seer refuses it), so each interleaving of a writer and two readers is one order
 * of the writer's accesses with one path of each reader through it.
 */
const shapes: readonly Shape[] = [
  { name: "row by row, reader of one", batches: Array(6).fill([1, 1]), budget: 1 },
  { name: "row by row, reader of two", batches: Array(6).fill([1, 1]), budget: 2 },
  { name: "batches of two, reader of one", batches: twos, budget: 1 },
  { name: "batches of two, reader of two", batches: twos, budget: 2 },
  { name: "more claimed than published, reader of one", batches: over, budget: 1 },
  { name: "more claimed than published, reader of two", batches: over, budget: 2 },
];

function bridgeScenario(recorder: Recorder, module: RingModule, shape: Shape): Scenario {
  const rows = 2;
  const total = shape.batches.reduce((sum, [, n]) => sum + n, 0);
  const claim_max = shape.batches.reduce(
    ({ head, claim }, [c, n]) => ({ head: head + n, claim: Math.max(claim, head + c) }),
    { head: 0, claim: 0 }).claim;
  const remote = makeRing(module, rows);
  const initial = watch(recorder, remote);
  // The scribe's own memory is the recorder's; `remote` is only its address book.
  const local = makeRing(module, 4);
  return {
    recorder, initial, guesses: new Map(), start, end: at(total),
    scribe() {
      for (const [claim, publish] of shape.batches) {
        remote.claim(claim);
        const head = remote.head;
        for (let i = 0; i < claim; i++) {
          // A row that is touched but not published is written again later.
          if (i < publish) put(remote, (head + i) | 0);
          else remote.arena.F[remote.timeAt + ((head + i) & remote.mask)] = -1;
        }
        remote.publish(publish);
      }
    },
    seer(cursor, run) {
      local.arena.I[local.headAt] = 0;
      local.arena.I[local.claimAt] = 0;
      const bridge = new module.Bridge(remote, local, cursor);
      const published = run(() => bridge.step(shape.budget));
      const after = local.arena.I[local.cursorAt]!;
      const moved = (after - cursor) | 0;
      let wrong = null;
      if (moved !== published + bridge.lost) {
        wrong = `${moved} rows passed, ${published} published, ${bridge.lost} counted lost`;
      }
      for (let i = 0; i < published; i++) {
        const expected = (after - published + i) | 0;
        const row = rowOf(local, i);
        if (row !== expected) wrong = `row ${(expected - start) | 0} is torn or another: ${row}`;
      }
      // The last row counted lost was indeed to be written over.
      if (bridge.lost > 0) {
        const last = (after - published - 1 - start) | 0;
        if (last + rows >= claim_max) wrong = `row ${last} counted lost, nobody claimed its place`;
      }
      return { state: after, wrong };
    },
  };
}

/** A command ring of two records; four are pushed, as far as there is room, and taken. */
function commandScenario(recorder: Recorder, module: RingModule): Scenario {
  const shared = makeRing(module, 2);
  const initial = watch(recorder, shared);
  const into = makeRing(module, 2);
  const cursorPlace = shared.cursorAt * 4;
  const total = 4;
  const writer = new module.CommandWriter(shared);
  const reader = new module.CommandReader(shared, into);
  return {
    recorder, initial, start, end: at(total),
    guesses: new Map([[cursorPlace, Array.from({ length: total + 1 }, (_, n) => at(n))]]),
    scribe() {
      // What is refused is tried again, as often as it may still make a difference.
      for (let tries = 0, n = 0; tries < total + 1 && n < total; tries++) {
        if (writer.push((ring, seq) => put(ring, seq))) n++;
      }
    },
    seer(cursor, run) {
      const taken = run(() => reader.pop());
      if (!taken) return { state: cursor, wrong: null };
      const row = rowOf(into, reader.seq);
      const wrong = row === cursor ? null : `record ${(cursor - start) | 0} is torn: ${row}`;
      return { state: (cursor + 1) | 0, wrong };
    },
  };
}

function scenarios(recorder: Recorder, module: RingModule): [string, Scenario][] {
  return [
    ["commands", commandScenario(recorder, module)],
    ...shapes.map((shape): [string, Scenario] =>
      [shape.name, bridgeScenario(recorder, module, shape)]),
  ];
}

test("no order of accesses tears a row or loses one uncounted", async () => {
  const recorder = new Recorder();
  const module = await loadRing(recorder);
  for (const [name, scenario] of scenarios(recorder, module)) {
    const started = performance.now();
    const verdict = explore(scenario);
    console.log(`${name}: ${verdict.orders} orders, ${verdict.steps} steps, ` +
      `${Math.round(performance.now() - started)} ms`);
    expect([name, verdict.wrong]).toEqual([name, null]);
    expect([name, verdict.ended]).toEqual([name, true]);
  }
}, 120_000);

const calls = barriers();

test("bridge.ts has the barriers that its drawing shows", () => {
  expect(calls.length).toBe(7);
});

for (const [weak, call] of calls.entries()) {
  test(`without barrier ${weak + 1}, ${call}, a row is torn`, async () => {
    const recorder = new Recorder();
    const module = await loadRing(recorder, weaken(weak));
    const found = scenarios(recorder, module).find(([, s]) => explore(s).wrong !== null);
    expect(found).toBeDefined();
  }, 60_000);
}

for (const [right, planted] of [
  ["this.lost += gone + lapped", "this.lost += lapped"],
  ["this.lost += gone + lapped", "this.lost += gone"],
  ["claimed - remote.rows", "claimed - remote.rows - 1"],
] as const) {
  test(`finds a planted ${planted}`, async () => {
    const recorder = new Recorder();
    const module = await loadRing(recorder, (text) => {
      expect(text).toContain(right);
      return text.replace(right, planted);
    });
    const found = scenarios(recorder, module).find(([, s]) => explore(s).wrong !== null);
    expect(found).toBeDefined();
  });
}
