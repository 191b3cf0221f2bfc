import { describe, expect, test } from "bun:test";
import { createRandom, type Random } from "../../src/base.ts";
import { loadReal } from "./real.ts";

/**
 * W13 against models of memory that know no address: what is drawn is a place, as bits that it
 * has, and one of the spellings that a person may write of it.
 */
interface Drawn {
  readonly at: string;
  readonly type: string;
  readonly station?: number;
  /** One a bit, whatever else shares it. */
  readonly bits: readonly string[];
}

interface Protocol {
  readonly link: object;
  draw(random: Random): Drawn;
}

const seed = Number(process.env.SOAK_SEED ?? Date.now() % 1e9);
const rounds = 150;
const tags_a_round = 4;

const sizes = {
  bool: 8, int8: 8, int16: 16, uint16: 16, int32: 32, float32: 32, int64: 64, float64: 64,
};
const run = (area: string, from: number, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${area} ${from + i}`);
const anyCase = (random: Random, text: string): string => text.replace(/[a-z]/gi, (letter) =>
  random.chance(0.5) ? letter.toUpperCase() : letter.toLowerCase());
/** The number, maybe with zeros in front. */
const padded = (random: Random, n: number): string => "0".repeat(random.below(2)) + n;

const modbus: Protocol = {
  link: { type: "modbus-tcp", host: "plc" },
  draw(random) {
    const station = 1 + random.below(2), from = random.below(12);
    const base = { station };
    if (random.chance(0.2)) {
      const at = random.pick([`coil ${from}`, `0${padded(random, from + 1).padStart(4, "0")}`,
        `${station}!0${String(from + 1).padStart(5, "0")}`]);
      return { ...base, at, type: "bool", bits: run(`coil ${station}`, from, 1) };
    }
    const register = random.pick([`holding ${from}`, `4${String(from + 1).padStart(4, "0")}`,
      `4${String(from + 1).padStart(5, "0")}`, `${station}!4${String(from + 1).padStart(5, "0")}`]);
    const area = `register ${station}`;
    if (random.chance(0.3)) {
      const bit = random.below(16);
      return { ...base, at: `${register}.${bit}`, type: "bool",
        bits: run(area, from * 16 + bit, 1) };
    }
    if (random.chance(0.2)) {
      return { ...base, at: register, type: "text(6)", bits: run(area, from * 16, 48) };
    }
    const type = random.pick(["int16", "uint16", "int32", "float32", "int64", "float64"] as const);
    return { ...base, at: register, type, bits: run(area, from * 16, sizes[type]) };
  },
};

const s7: Protocol = {
  link: { type: "s7", host: "plc" },
  draw(random) {
    const from = random.below(14);
    const [area, block] = random.pick([["DB1", "DB1.DB"], ["DB1", "V"], ["DB2", "DB2,DB"],
      ["M", "M"], ["M", "F"], ["Q", "Q"], ["Q", "A"], ["Q", "O"]] as const);
    const isBlock = block.includes("DB");
    const spell = (letter: string, rest: string): string =>
      anyCase(random, `${block}${letter}`) + rest;
    if (random.chance(0.4)) {
      const bit = random.below(8);
      const at = spell(isBlock ? "X" : random.pick(["", "X"]), `${padded(random, from)}.${bit}`);
      return { at, type: "bool", bits: run(area, from * 8 + bit, 1) };
    }
    if (random.chance(0.2)) {
      return { at: spell(random.pick(["B", "S"]), `${from}`), type: "text(4)",
        bits: run(area, from * 8, 48) };
    }
    const type = random.pick(["int16", "uint16", "int32", "float32", "int64"] as const);
    const letter = { 16: "W", 32: "D", 64: "D" }[sizes[type] as 16 | 32 | 64];
    return { at: spell(random.pick([letter, "W"]), padded(random, from)), type,
      bits: run(area, from * 8, sizes[type]) };
  },
};

/** A controller's memory, laid out by its declarations: dimensions, and what an element is. */
interface Declared {
  readonly dimensions: readonly number[];
  readonly of: string | Readonly<Record<string, Declared>>;
}
const one = (of: Declared["of"], ...dimensions: number[]): Declared => ({ of, dimensions });
const text = { LEN: one("int32"), DATA: one("int8", 4) };
const axis = { Pos: one("float32"), Limits: one("float32", 2), Name: one(text) };
const program: Readonly<Record<string, Declared>> = {
  Level: one("float32"), Words: one("int16", 4), Grid: one("int32", 2, 3), Names: one(text, 2),
  Run: one("bool"), Axis: one(axis), Axes: one(axis, 3), Field: one(axis, 2, 2),
  "Program:Main.Words": one("int16", 2), "Program:Main.Axis": one(axis),
};

const bytesOf = ({ of, dimensions }: Declared): number =>
  dimensions.reduce((all, n) => all * n, typeof of !== "string"
    ? Object.values(of).reduce((all, member) => all + bytesOf(member), 0)
    : sizes[of as keyof typeof sizes] / 8);

/** Goes down from members to a value or a text. */
function descend(
  random: Random, members: Readonly<Record<string, Declared>>, start: number, before: string,
): Drawn {
  const name = random.pick(Object.keys(members));
  let from = start;
  for (const [other, declared] of Object.entries(members)) {
    if (other === name) break;
    from += bytesOf(declared);
  }
  const { of, dimensions } = members[name]!;
  const indices = dimensions.map((n) => random.below(random.chance(0.5) ? 1 : n));
  const element = bytesOf(one(of));
  from += element * indices.reduce((place, index, k) => place * dimensions[k]! + index, 0);
  const isFirst = indices.every((index) => index === 0);
  const spelled = indices.length === 0 || isFirst && random.chance(0.5) ? ""
    : `[${indices.map((index) => padded(random, index)).join(",")}]`;
  const at = before + anyCase(random, name) + spelled;
  if (of === text && random.chance(0.5)) {
    return { at, type: "text(4)", bits: run("byte", from, element) };
  }
  if (typeof of !== "string") return descend(random, of, from, `${at}.`);
  return { at, type: of, bits: run("byte", from, element) };
}

const cip: Protocol = {
  link: { type: "ethernet-ip", host: "plc" },
  draw: (random) => descend(random, program, 0, ""),
};

const opcua: Protocol = {
  link: { type: "opcua", host: "ua", security: "None" },
  draw(random) {
    const node = random.below(4), item = random.below(6);
    const ns = random.pick(["ns=2", "ns=02"]);
    const at = [`${ns};i=${padded(random, 5)}`, `${ns};s=Line`, `nsu=urn:a;s=Line`,
      `${ns};g=${anyCase(random, "09087e75-8e5e-499b-954f-f2a9603db28a")}`][node]!;
    const isWhole = random.chance(0.3);
    return { at: isWhole ? at : `${at} range ${padded(random, item)}`, type: "float64",
      bits: isWhole ? run(`${node}`, 0, 6) : run(`${node}`, item, 1) };
  },
};

const telegram: Protocol = {
  link: { type: "telegram-tcp", host: "scale", port: 4001, frame: { end: "<CR>" }, telegrams: {
    a: { send: "A?", write: "A {value}", match: "^([0-9]+)$" },
    a2: { send: "A2?", write: "A<20>{value}", match: "^([0-9]+)$" },
    b: { send: "B?", write: "B {value:1}", match: "^([0-9]+)$" },
    b2: { send: "B2?", write: "B {value}", match: "^([0-9]+)$" },
    c: { send: "{station}C?", write: "{station}C {value}", match: "^{station}([0-9]+)$" } } },
  draw(random) {
    const name = random.pick(["a", "a2", "b", "b2", "c"]);
    const station = name === "c" ? 1 + random.below(3) : 1;
    return { at: `${name} match 1`, type: "uint16", station,
      bits: [name === "c" ? `${station}C ` : `${name[0]!.toUpperCase()} `] };
  },
};

/** What `check` says of writable tags; each has a device, so that stations may differ. */
function problems(link: object, drawn: readonly Drawn[]): string[] {
  const devices = Object.fromEntries(drawn.map(({ at, type, station = 1 }, i) => [`d${i}`,
    { link: "l", station, groups: { g: "1s" }, tags: { t: { at, type, access: "read-write" } } }]));
  return loadReal({ gateway: { id: "g" }, links: { l: link }, devices }).problems
    .map(({ message }) => message);
}

const share = (a: Drawn, b: Drawn): boolean => a.bits.some((bit) => b.bits.includes(bit));

describe(`writable tags overlap where they share a bit, seed ${seed}`, () => {
  test.each(Object.entries({ modbus, s7, cip, opcua, telegram }))("%s", (_, { link, draw }) => {
    const random = createRandom(seed);
    let overlapping = 0;
    for (let round = 0; round < rounds; round++) {
      const drawn = Array.from({ length: tags_a_round }, () => draw(random));
      const told = problems(link, drawn);
      const shown = JSON.stringify([drawn.map(({ at, type }) => [at, type]), told]);
      for (const sentence of told) {
        const [, a, b] = /tags overlap: d(\d)\.t and d(\d)\.t share/.exec(sentence) ?? [];
        expect(a, shown).toBeDefined();
        expect(share(drawn[Number(a)]!, drawn[Number(b)]!), shown).toBe(true);
      }
      const any = drawn.some((a, i) => drawn.slice(i + 1).some((b) => share(a, b)));
      expect(told.length > 0, shown).toBe(any);
      overlapping += Number(any);
    }
    expect(overlapping).toBeGreaterThan(rounds / 10);
    expect(overlapping).toBeLessThan(rounds);
  });
});
