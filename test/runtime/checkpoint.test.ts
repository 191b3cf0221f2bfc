import { expect, test } from "bun:test";
import { createLog } from "../../src/base.ts";
import type { SinkConfig } from "../../src/config.ts";
import type { Sink } from "../../src/connector.ts";
import { Arena, Ring } from "../../src/ring.ts";
import { Durability } from "../../src/runtime/durability.ts";
import type { RulePlan } from "../../src/runtime/graph.ts";
import { RuleRunner } from "../../src/runtime/rule.ts";
import { RuleState } from "../../src/runtime/rule-state.ts";
import { SinkRunner } from "../../src/runtime/sink.ts";
import type { StatePort } from "../../src/runtime/store-port.ts";
import { type Catalog, compile, instantiate } from "../../src/sql.ts";
import type { SavedState, Segment } from "../../src/store.ts";

/** What is done for each rule looks at no other rule but those that it reads. */
const columns = [{ name: "a", kind: "float64", slot: 0 }] as const;
const catalog: Catalog = {
  stream: (name) => ({ name, columns, interval_ms: 100 }), match: () => [], device: () => false,
  tag: () => undefined, model: () => undefined, names: () => [],
};

/** Reads of a field are counted; what it is stays. */
function counted<T extends object>(of: T, field: keyof T, looks: { n: number }): T {
  const value = of[field];
  return Object.defineProperty(of, field, {
    get() {
      looks.n += 1;
      return value;
    },
  });
}

/** A store that keeps what it is given, in the order of writing. */
function memory(looks: { n: number }): StatePort {
  const segments: Segment[] = [];
  let cut: Segment | null = null;
  let checkpoint = 0;
  const saved = (): SavedState => ({
    checkpoint, cut, journal: [],
    state: segments.map(({ content, ...head }, id) =>
      counted({ ...head, id, bytes: content.length }, "owner", looks)),
  });
  return {
    saved: async () => saved(),
    segment: async (id) => segments[id]!,
    journal: async () => true,
    put: async (_, some) => segments.push(...some) > 0,
    finish: async (number, last) => {
      [checkpoint, cut] = [number, last];
      return true;
    },
  };
}

type RingSpecs = Parameters<typeof Ring.layout>[1];

/** So many rules of one stream, each with a sink, and each second one reads the one before it. */
function rulesOf(count: number, looks: { n: number }) {
  const arena = Arena.create(1 << 22);
  const make = (name: string, specs: RingSpecs): Ring =>
    Ring.create(arena, Ring.layout(name, specs, 16)).ring;
  const streams = new Map([["s", make("s", columns)]]);
  const rules: RuleState[] = [];
  const sinks: SinkRunner[] = [];
  for (let i = 0; i < count; i++) {
    const name = `r${i}`, from = i % 2 === 0 ? "s" : `r${i - 1}`;
    const program = compile(`SELECT lag(a) AS a FROM ${from}`, catalog);
    const rings = [streams.get(from)!, ...program.stages.map(({ output }, k) =>
      make(k === program.stages.length - 1 ? name : `${name}/${k}`, output))];
    const states = program.stages.map(({ stateBytes }) => arena.take(Math.max(8, stateBytes), "s"));
    const rule = { name, sql: "", to: [], schedule: null,
      restart: { attempts: 0, delay: 1, most: 1 } };
    const runner = new RuleRunner({ rule, program } as unknown as RulePlan, {
      window: null, rings, states, blocks: [], models: [], alarms: [], gather: () => null,
      stages: () => program.stages.map((plan, k) => instantiate(plan, { arena, newest: [],
        input: rings[k]!, output: rings[k + 1]!, state: states[k]! })),
    });
    runner.begin();
    const output = rings.at(-1)!;
    streams.set(name, output);
    rules.push(counted(new RuleState(runner, true), "runner", looks));
    const sink = { name: "out", omitIfEmpty: false, onChange: null } as SinkConfig;
    const takesAll: Sink = { drain: (_, to) => to, settled: (taken) => taken };
    sinks.push(counted(new SinkRunner(takesAll, output, 0, sink), "stream", looks));
  }
  return { streams, rules, sinks, journals: [] };
}

/** How often a start, a last checkpoint and the next start look at rules, sinks and segments. */
async function looksOf(count: number): Promise<number> {
  const looks = { n: 0 };
  const port = memory(looks);
  const start = async (): Promise<Durability> => {
    const durability = new Durability({
      port, log: createLog("error", () => 0, () => {}), interval: 1000, journal_bytes_max: 1e6,
      epoch: 1, time: () => 1000, wake() {}, begin() {},
    });
    durability.adopt(rulesOf(count, looks));
    await durability.restore(0);
    return durability;
  };
  await (await start()).stop();
  expect((await port.saved())!.state.length).toBeGreaterThanOrEqual(count);
  await start();
  return looks.n;
}

test("a checkpoint, and a start from it, work for each rule as much whatever their number",
  async () => {
    const [few, many] = [await looksOf(20), await looksOf(200)];
    expect(few).toBeGreaterThan(20 * 5);
    expect(many / few).toBeLessThan(10.5);
  });
