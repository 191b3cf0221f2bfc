import { describe, expect, test } from "bun:test";
import { createRandom, type Random } from "../../src/base.ts";
import { DONE, itemsOf, PENDING, type DriverTag } from "../../src/driver.ts";
import { arrayOf, GOOD, type Ring } from "../../src/ring.ts";
import { Bench, kits, newest, states, tagsOf, type Kit } from "../contract/drivers.ts";
import { ringFor, tag } from "../driver/support.ts";

const count = Number(process.env.SOAK_COUNT ?? 1000);
const seed = Number(process.env.SOAK_SEED ?? Date.now() % 1_000_000_000);

/** What a stream may lose, repeat or bring too early: no value may come of it that is not true. */
function displaced(
  r: Random, { isUnnumbered }: Kit, answer: Uint8Array, old: readonly Uint8Array[],
): Uint8Array {
  switch (r.below(6)) {
    case 0: return answer.subarray(0, r.below(answer.length));
    case 1: {
      const at = r.below(answer.length);
      return Buffer.concat([answer.subarray(0, at), answer.subarray(at + 1)]);
    }
    case 2: return Buffer.concat([answer, answer]);
    case 3: {
      const before = old.length === 0 || isUnnumbered === true ? answer : r.pick(old);
      return Buffer.concat([before, answer]);
    }
    case 4: return Uint8Array.from({ length: 1 + r.below(300) }, () => r.below(256));
    default: return answer;
  }
}

/** Bytes changed where they stand: what is true of the values can no longer be said. */
function changed(r: Random, answer: Uint8Array): Uint8Array {
  const bytes = answer.slice();
  for (let n = 1 + r.below(4); n > 0; n--) {
    // Heads are where lengths, counts and codes stand.
    const at = r.below(r.chance(0.7) ? Math.min(64, bytes.length) : bytes.length);
    bytes[at] = r.pick([0, 1, 0x7f, 0x80, 0xff, r.below(256)]);
  }
  return r.chance(0.2) ? bytes.subarray(0, r.below(bytes.length)) : bytes;
}

/** Time goes on from case to case, as the plants do. */
let now = 0;
/** Longer than all waits of one poll. */
const poll_ms = 1e8;
/** Plants of different size, each made once. */
const benches = new Map<string, { ring: Ring; tags: DriverTag[]; bench: Bench }>();

function benchFor(kit: Kit, each: number): { ring: Ring; tags: DriverTag[]; bench: Bench } {
  const key = `${kit.driver.type} ${each}`;
  let known = benches.get(key);
  if (known === undefined) {
    const { item } = kit;
    const arrays = item === undefined ? [] : (["int16", "uint32", "float64"] as const).map((type) =>
      tag(item(type, 0), `${type}[${2 * each}]`, { id: `d.all_${type}` }));
    const texts = kit.textAt === undefined ? []
      : [tag(kit.textAt, "text(12)", { id: "d.text", writable: true })];
    const { ring, tags } = ringFor([...tagsOf(kit, each), ...arrays, ...texts]);
    benches.set(key, (known = { ring, tags, bench: new Bench(kit, tags) }));
  }
  return known;
}

/** One connection with damage in its answers; says what was wrong, or null. */
function one(kit: Kit, caseSeed: number, seen: Map<number, number>): string | null {
  const r = createRandom(caseSeed);
  const { ring, tags, bench } = benchFor(kit, r.pick([1, 2, 5, 12]));
  bench.reset();
  bench.frames.length = 0;
  bench.resets.length = 0;
  const trusted = r.chance(0.5);
  const old: Uint8Array[] = [];
  bench.onAnswer = (answer) => {
    const given = r.chance(0.4) ? answer
      : trusted ? displaced(r, kit, answer, old) : changed(r, answer);
    old.push(answer);
    return given;
  };
  for (let round = 0; round < 4; round++) {
    if (!bench.isOpen) bench.open();
    for (const { id, type } of tags.flatMap(itemsOf)) {
      const value = r.below(32767);
      bench.values.set(id, type.startsWith("text") ? String(value) : value);
    }
    now += poll_ms;
    const results = bench.poll(ring, tags, now, 1 + r.below(400));
    for (const result of results) seen.set(result, (seen.get(result) ?? 0) + 1);
    if (results.includes(PENDING)) return "an exchange that never ends";
    const wrong = trusted ? untrue(bench, ring, tags, results) : null;
    if (wrong !== null) return wrong;
    const untold = bench.isOpen ? rawText(kit, bench, tags, trusted) : null;
    if (untold !== null) return untold;
  }
  return null;
}

/** A text as the gate reads it: what a write is judged by. */
function rawText(
  { driver }: Kit, bench: Bench, tags: readonly DriverTag[], trusted: boolean,
): string | null {
  const text = tags.find(({ id }) => id === "d.text");
  if (text === undefined) return null;
  const raw = new Uint8Array(driver.rawBytes(text));
  now += poll_ms;
  bench.session.readRaw(text, raw, now);
  if (bench.run(now) === PENDING) bench.run(now + poll_ms);
  if (bench.session.result === PENDING) return "a read of the gate that never ends";
  const read = bench.session.result === DONE ? driver.decode(text, raw) : null;
  const is = bench.values.get("d.text");
  return !trusted || read === null || read === is ? null : `the gate read ${read}, not ${is}`;
}

function untrue(
  bench: Bench, ring: Ring, tags: readonly DriverTag[],
  results: readonly number[],
): string | null {
  if (results.some((result) => result !== DONE)) return null;
  const values = newest(ring, tags);
  const state = states(ring, tags);
  const at = tags.findIndex((one, i) => state[i] === GOOD && values[i] !== valueOf(bench, one));
  return at < 0 ? null : `${tags[at]!.id} is ${values[at]}, not ${valueOf(bench, tags[at]!)}`;
}

/** As its cell reads. */
function valueOf({ values }: Bench, one: DriverTag): unknown {
  return arrayOf(one.type) === null ? values.get(one.id)
    : JSON.stringify(itemsOf(one).map(({ id }) => values.get(id)));
}

/** One damaged request to the driver's own server. */
function ask(kit: Kit, caseSeed: number): void {
  const r = createRandom(caseSeed);
  const { ring, tags, bench } = benchFor(kit, 4);
  bench.onAnswer = (bytes) => bytes;
  bench.frames.length = 0;
  bench.reset();
  bench.open();
  now += poll_ms;
  bench.poll(ring, tags, now);
  const server = kit.driver.serve(tags, bench.link, { value: () => 1, written: () => true });
  for (const frame of bench.frames) {
    const bytes = changed(r, frame);
    server.receive(bytes, bytes.length, 0, { frame() {}, reply() {} });
    kit.driver.readable(bytes, r.chance(0.5), bench.link);
  }
}

for (const kit of kits) {
  describe(kit.driver.type, () => {
    test(`damaged answers give no wrong value and no crash (${count} from seed ${seed})`, () => {
      const seen = new Map<number, number>();
      const findings: string[] = [];
      for (let i = 0; i < count && findings.length < 10; i++) {
        const wrong = one(kit, seed + i, seen);
        if (wrong !== null) findings.push(`seed ${seed + i}: ${wrong}`);
      }
      expect(findings).toEqual([]);
      expect(seen.get(DONE)!).toBeGreaterThan(count / 10);
      expect(seen.size).toBeGreaterThan(2);
    }, 7_200_000);

    test("damaged requests crash no server", () => {
      for (let i = 0; i < count; i++) ask(kit, seed + i);
    }, 7_200_000);
  });
}
