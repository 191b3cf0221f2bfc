import { expect, test } from "bun:test";
import { createRandom } from "../../src/base.ts";
import { examineTexts } from "../../src/cli/examine.ts";
import { connectors, drivers, tables } from "../../src/registry.ts";
import { readCell, stateName, writeCell } from "../../src/ring.ts";
import { planText } from "../../src/runtime.ts";
import { keptOf } from "../../src/runtime/change.ts";
import { forecast } from "../../src/runtime/forecast.ts";
import type { Graph } from "../../src/runtime/graph.ts";
import { Role } from "../../src/runtime/role.ts";
import { shareOf } from "../../src/runtime/share.ts";
import type { StatePort } from "../../src/runtime/store-port.ts";
import type { World } from "../../src/runtime/world.ts";
import { sharers } from "../../src/runtime/windows.ts";
import { explain } from "../../src/sql.ts";
import type { Segment, StoredSegment } from "../../src/store.ts";

/** Rules with equal windows share one, and none of them can tell. */
type Rules = Readonly<Record<string, string>>;

function graphOf(rules: Rules): Graph {
  const config = {
    gateway: { id: "t" }, links: { broker: { type: "mqtt", host: "127.0.0.1" } },
    sources: { s: { type: "mqtt", link: "broker", topic: "x", rowsPerSecond: 10,
      columns: { k: "int32", v: "float64" } } },
    rules: Object.fromEntries(Object.entries(rules).map(([name, sql]) => [name, { sql }])),
  };
  const { graph, texts } = examineTexts("gateway.json",
    { config: JSON.stringify(config), policy: "" }, { drivers, connectors, tables }, null);
  expect(texts).toEqual([]);
  // Rows are put into the stream by the test.
  const gateway = { ...graph!.gateway,
    sources: graph!.gateway.sources.map((source) => ({ ...source, closed: true })) };
  return { ...graph!, gateway };
}

/** What outlasts a restart. */
class Disk implements StatePort {
  #cut: Segment | null = null;
  #checkpoint = 0;
  readonly #state: StoredSegment[] = [];
  readonly #content = new Map<number, Segment>();

  async saved() {
    return { checkpoint: this.#checkpoint, cut: this.#cut, state: this.#state, journal: [] };
  }

  async segment(id: number): Promise<Segment | null> {
    return this.#content.get(id) ?? null;
  }

  async journal(): Promise<boolean> {
    return true;
  }

  async put(_checkpoint: number, segments: readonly Segment[]): Promise<boolean> {
    for (const segment of segments) {
      const id = this.#content.size + 1;
      this.#content.set(id, segment);
      this.#state.push({ ...segment, id, bytes: segment.content.length });
    }
    return true;
  }

  async finish(checkpoint: number, cut: Segment): Promise<boolean> {
    [this.#checkpoint, this.#cut] = [checkpoint, cut];
    return true;
  }
}

class Gateway {
  static async start(rules: Rules, time: number, disk = new Disk()): Promise<Gateway> {
    const gateway = new Gateway(graphOf(rules), time, disk);
    await gateway.role.prepare(shareOf(gateway.#graph, "all"), null);
    gateway.role.begin([], []);
    await gateway.role.restore();
    gateway.role.release();
    return gateway;
  }

  readonly role: Role;
  #graph: Graph;
  #time: number;
  readonly #read = new Map<string, number>();
  /** What came out, by rule. */
  readonly found: Record<string, string[]> = {};

  private constructor(graph: Graph, time: number, disk: Disk) {
    const now = (): number => this.#time;
    const nothing = (): void => {};
    const world = { clock: { time: now, now, steps: 0, certain: true, offset: 0 },
      log: { info: nothing, warn: nothing, error: nothing },
      timers: { after: nothing, clear: nothing } };
    this.#graph = graph;
    this.#time = time;
    this.role = new Role(shareOf(graph, "all"), {
      components: { drivers, connectors, tables }, world: world as unknown as World, active: true,
      breathe: async () => {}, state: disk, epoch: 1, disabled: {},
      wake: nothing, pathEnded: nothing,
    });
  }

  async change(rules: Rules): Promise<void> {
    const graph = graphOf(rules);
    const free = [this.role.arena.free];
    expect(forecast(this.#graph, graph, { links: [], armed: [], free }).restart).toEqual([]);
    await this.role.prepare(shareOf(graph, "all"), keptOf(this.#graph, graph));
    this.role.begin([], []);
    this.role.release();
    this.#graph = graph;
  }

  put(time: number, k: number, v: number): void {
    this.until(time);
    const ring = this.role.rings.get("s")!;
    ring.claim(1);
    const row = ring.head & ring.mask;
    ring.arena.F[ring.timeAt + row] = time;
    ring.arena.F[ring.sourceAt + row] = NaN;
    ring.arena.U[ring.flagsAt + row] = 0;
    writeCell(ring, ring.column("k")!, ring.head, k);
    writeCell(ring, ring.column("v")!, ring.head, v);
    ring.publish(1);
    this.until(time);
  }

  until(time: number): void {
    this.#time = time;
    while (this.role.turn(time, time) <= time) this.#drain();
    this.#drain();
  }

  #drain(): void {
    for (const { name, output } of this.role.rules) {
      const rows = (this.found[name] ??= []);
      for (let seq = this.#read.get(name) ?? 0; seq !== output.head; seq++) {
        const row = seq & output.mask;
        rows.push([output.arena.F[output.timeAt + row], ...output.shown.map((column) => {
          const state = output.arena.U[column.state + row]!;
          return state < 64 ? String(readCell(output, column, seq)) : stateName(state);
        })].join(" "));
      }
      this.#read.set(name, output.head);
    }
  }
}

const window = "FROM s WHERE v >= 0 GROUP BY k, TUMBLINGWINDOW(ss, 10)";
const three: Rules = {
  a: `SELECT k, avg(v) AS m ${window} HAVING avg(v) > 2`,
  b: `SELECT avg(v) + 1 AS m ${window}`,
  c: `SELECT avg(v) AS m, k, window_start() AS began ${window} ORDER BY avg(v) DESC LIMIT 1`,
};

test("equal windows are one: in memory, in the plan, and explain says with whom", async () => {
  const graph = graphOf({ a: three["a"]!, b: three["b"]! });
  const [first, second] = graph.rules;
  expect(sharers(graph.rules, second!)).toEqual(["a"]);
  expect(explain(second!.program, ["a"])).toContain("shares  stage 1 with a\n");
  const lines = planText(graph).text.split("\n").filter((line) => line.includes("(window)"));
  expect(lines).toEqual([expect.stringMatching(
    / a  +state of stage 1 \(window\), shared with 1 other rule$/)]);
  const { role } = await Gateway.start({ a: three["a"]!, b: three["b"]! }, 0);
  expect(role.rules[0]!.states[0]).toBe(role.rules[1]!.states[0]!);
  expect(role.rules[0]!.states[1]).not.toBe(role.rules[1]!.states[1]!);
  // Another shape of what is told of a window is another window.
  expect(graphOf(three).rules.map(({ window: key }) => key === first!.window))
    .toEqual([true, true, false]);
});

test("a rule that comes sees no row of before, and the others go on", async () => {
  const gateway = await Gateway.start({ a: three["b"]! }, 100_000);
  gateway.put(101_000, 1, 4);
  await gateway.change({ a: three["b"]!, late: `SELECT avg(v) AS m ${window}` });
  gateway.put(102_000, 1, 6);
  gateway.put(111_000, 1, 8);
  await gateway.change({ a: three["b"]!, late: `SELECT avg(v) AS m ${window} HAVING avg(v) > 0` });
  gateway.put(112_000, 1, 10);
  gateway.put(121_000, 1, 1);
  gateway.until(140_000);
  expect(gateway.found).toEqual({ a: ["110000 6", "120000 10", "130000 2"], late: ["130000 1"] });
});

test("a rule that goes takes nothing along, and the last one the window", async () => {
  const gateway = await Gateway.start({ a: three["a"]!, b: three["b"]! }, 100_000);
  gateway.put(101_000, 1, 4);
  await gateway.change({ b: three["b"]! });
  gateway.put(102_000, 1, 6);
  gateway.until(110_000);
  expect(gateway.found["b"]).toEqual(["110000 6"]);
  await gateway.change({});
  expect(gateway.role.rules).toEqual([]);
  const { free } = gateway.role.arena;
  await gateway.change({ a: three["a"]!, b: three["b"]! });
  await gateway.change({});
  expect(gateway.role.arena.free).toEqual(free);
});

test("reset, stop and start of one rule do nothing to the others", async () => {
  const gateway = await Gateway.start({ a: three["b"]!, b: three["b"]!, c: three["b"]! }, 100_000);
  const [, b, c] = gateway.role.rules;
  gateway.put(101_000, 1, 4);
  b!.reset();
  c!.stop("somebody");
  gateway.put(102_000, 1, 6);
  c!.begin();
  gateway.put(111_000, 1, 8);
  gateway.until(120_000);
  expect(gateway.found).toEqual({ a: ["110000 6", "120000 9"], b: ["120000 9"],
    c: ["120000 9"] });
});

test("a window that nobody reads rests, and a rule alone is as if it had its own", async () => {
  const gateway = await Gateway.start({ a: three["b"]! }, 100_000);
  const [a] = gateway.role.rules;
  gateway.put(101_000, 1, 4);
  a!.stop("somebody");
  gateway.put(102_000, 1, 100);
  a!.begin();
  gateway.put(103_000, 1, 6);
  gateway.put(111_000, 1, 8);
  a!.reset();
  gateway.put(112_000, 1, 10);
  gateway.until(120_000);
  expect(gateway.found).toEqual({ a: ["110000 6", "120000 11"] });
});

test("of a window that rested a rule has no rows that only another one read", async () => {
  const gateway = await Gateway.start({ a: three["b"]!, b: three["b"]! }, 100_000);
  const [a, b] = gateway.role.rules;
  gateway.put(101_000, 1, 4);
  a!.stop("somebody");
  gateway.put(102_000, 1, 6);
  b!.stop("somebody");
  a!.begin();
  gateway.put(103_000, 1, 100);
  gateway.put(111_000, 1, 8);
  gateway.until(120_000);
  expect(gateway.found).toEqual({ a: ["120000 9"], b: [] });
});

test("a checkpoint brings a shared window once, and its rules where they were", async () => {
  const disk = new Disk();
  const gateway = await Gateway.start({ a: three["b"]! }, 100_000, disk);
  gateway.put(101_000, 1, 4);
  await gateway.change({ a: three["b"]!, late: three["b"]! });
  gateway.put(102_000, 1, 6);
  await gateway.role.stop();
  const again = await Gateway.start({ a: three["b"]!, late: three["b"]!, third: three["b"]! },
    103_000, disk);
  again.put(103_000, 1, 2);
  again.put(111_000, 1, 8);
  again.until(120_000);
  expect(again.found).toEqual({ a: ["110000 5", "120000 9"], late: ["120000 9"],
    third: ["120000 9"] });
});

const windows = ["TUMBLINGWINDOW(ss, 10)", "HOPPINGWINDOW(ss, 10, 4)", "SLIDINGWINDOW(ss, 5)",
  "SLIDINGWINDOW(ss, 4, 3)", "SESSIONWINDOW(ss, 30, 5)", "COUNTWINDOW(4)", "COUNTWINDOW(4, 2)",
  "STATEWINDOW(v > 3, v < 2)", "STATEWINDOW(v > 3) OVER (PARTITION BY k)"];

test.each(windows)("%s: shared with others or alone, what a rule gives is the same", async (w) => {
  for (let seed = 0; seed < 4; seed++) {
    const random = createRandom(seed);
    const group = random.pick(["", "k, "]);
    const rules: Rules = Object.fromEntries(["a", "b", "c"].map((name, i) => [name,
      `SELECT sum(v) * ${i} AS s, count(*) AS n FROM s GROUP BY ${group}${w}` +
      random.pick(["", " HAVING count(*) > 1"])]));
    const rows = Array.from({ length: 60 }, () =>
      [random.pick([100, 900, 1500, 7000]), random.below(3), random.below(50) / 10] as const);
    const run = async (which: Rules): Promise<Gateway["found"]> => {
      const gateway = await Gateway.start(which, 100_000);
      let time = 100_000;
      for (const [gap, k, v] of rows) gateway.put(time += gap, k, v);
      gateway.until(time + 100_000);
      return gateway.found;
    };
    const all = await run(rules);
    expect(Object.values(all).flat().length).toBeGreaterThan(5);
    for (const [name, sql] of Object.entries(rules)) {
      expect([w, seed, await run({ [name]: sql })]).toEqual([w, seed, { [name]: all[name]! }]);
    }
  }
});

test("after a reset a shared window goes on without its short ones, one of its own begins anew",
  async () => {
    const before = ["101000 10", "102000 20", "103000 30", "104000 40", "105000 40"];
    const after = ["106000 40", "107000 40", "108000 40", "109000 40", "110000 40"];
    const short = ["106000 7", "107000 17", "108000 27", "109000 37", "110000 40"];
    for (const [list, isShared] of [["count(*) + 0", true], ["count(*)", false]] as const) {
      const sql = `SELECT ${list} AS n FROM s GROUP BY HOPPINGWINDOW(ss, 4, 1)`;
      expect(sharers(graphOf({ a: sql, b: sql }).rules, graphOf({ b: sql }).rules[0]!).length)
        .toBe(isShared ? 1 : 0);
      const gateway = await Gateway.start({ a: sql, b: sql }, 100_000);
      for (let i = 0; i <= 100; i++) {
        if (i === 53) gateway.role.rules[1]!.reset();
        gateway.put(100_000 + 100 * i, 1, i);
      }
      expect(gateway.found).toEqual({ a: [...before, ...after],
        b: isShared ? [...before, "110000 40"] : [...before, ...short] });
    }
  });
