import { describe, expect, test } from "bun:test";
import { createRandom } from "../../src/base.ts";
import {
  ethernetIp, modbusRtu, modbusTcp, s7, type Driver, type DriverTag, type Request,
} from "../../src/driver.ts";
import type { CipRequest } from "../../src/driver/ethernet-ip/plan.ts";
import type { ModbusRequest } from "../../src/driver/modbus/plan.ts";
import type { S7Request } from "../../src/driver/s7/plan.ts";
import {
  GOOD, readCell, stateName, UNCERTAIN_MAX, type ItemType, type Ring,
} from "../../src/ring.ts";
import { linkOf, ringFor, ScriptedWire, tag, tcpLink, withCrc } from "./support.ts";

const seed = Number(process.env.SOAK_SEED ?? Date.now() % 1e9);
const numbers = ["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"];

/** What a driver must tell, so that arrays can be held against tags of their elements. */
interface Layout {
  readonly driver: Driver;
  /** Where a random array begins, and where each of its items lies as a tag of its own. */
  places(random: ReturnType<typeof createRandom>, item: ItemType, count: number): readonly string[];
  /** Everything that is read, by where it lies, as bytes that `fill` made up. */
  decode(request: Request, fill: (place: string) => number, ring: Ring, seq: number): void;
}

const registers: Readonly<Record<string, number>> =
  { int32: 2, uint32: 2, float32: 2, int64: 4, uint64: 4, float64: 4 };

const modbus: Layout = {
  driver: modbusTcp,
  places(random, item, count) {
    const first = random.below(300);
    if (item !== "bool") {
      const area = random.pick(["holding", "input"]);
      return Array.from({ length: count }, (_, i) =>
        `${area} ${first + i * (registers[item] ?? 1)}`);
    }
    if (random.chance(0.5)) return Array.from({ length: count }, (_, i) => `coil ${first + i}`);
    const bit = random.below(16);
    return Array.from({ length: count }, (_, i) =>
      `holding ${first + Math.floor((bit + i) / 16)}.${(bit + i) % 16}`);
  },
  decode(request, fill, ring, seq) {
    const { area, from, count, bytes } = request as ModbusRequest;
    const data = new Uint8Array(bytes);
    for (let i = 0; i < count; i++) {
      if (area === "coil") data[i >> 3]! |= (fill(`${area} ${from + i}`) & 1) << (i & 7);
      else for (const k of [0, 1]) data[2 * i + k] = fill(`${area} ${2 * (from + i) + k}`);
    }
    (request as ModbusRequest).decode(data, 0, ring, seq);
  },
};

const s7Bytes: Readonly<Record<string, number>> =
  { int16: 2, uint16: 2, int32: 4, uint32: 4, float32: 4, int64: 8, uint64: 8, float64: 8 };

const siemens: Layout = {
  driver: s7,
  places(random, item, count) {
    const [first, area] = [random.below(60), random.pick(["DB7.DB", "M", "Q"])];
    const bit = random.below(8);
    return Array.from({ length: count }, (_, i) => {
      if (item !== "bool") {
        const letter = { 2: "W", 4: "D", 8: "D" }[s7Bytes[item]!]!;
        return `${area}${letter}${first + i * s7Bytes[item]!}`;
      }
      return `${area}${area === "DB7.DB" ? "X" : ""}${first + ((bit + i) >> 3)}.${(bit + i) & 7}`;
    });
  },
  decode(request, fill, ring, seq) {
    for (const range of (request as S7Request).ranges) {
      const data = Uint8Array.from({ length: range.count }, (_, i) =>
        fill(`${range.area}${range.db} ${range.from + i}`));
      range.decode(data, 0, ring, seq);
    }
  },
};

const logix: Layout = {
  driver: ethernetIp,
  places(random, item, count) {
    const first = random.below(70);
    if (item !== "bool" || random.chance(0.5)) {
      return Array.from({ length: count }, (_, i) => `Many[${first + i}]`);
    }
    const [bit, word] = [random.below(64 - count), random.pick(["Word", "Line[3].Word"])];
    return Array.from({ length: count }, (_, i) => `${word}.${bit + i}`);
  },
  decode(request, fill, ring, seq) {
    for (const { fields, from, count, elementBytes } of (request as CipRequest).ranges) {
      const { base } = fields[0]!.address;
      const data = Uint8Array.from({ length: count * elementBytes }, (_, i) =>
        fill(`${base} ${Math.max(0, from) * elementBytes + i}`));
      for (const field of fields) {
        const place = from < 0 ? 0 : field.address.index - from;
        field.decodeCell(0, data, place * elementBytes, elementBytes, ring, seq);
      }
    }
  },
};

const seen = (ring: Ring, one: DriverTag, seq: number) => {
  const column = ring.columns[one.column]!;
  return { value: readCell(ring, column, seq), state: ring.arena.U[column.state + seq]! };
};

/** As a cell of no fixed type shows it: zero has one sign. */
const asItem = (value: unknown): string =>
  (typeof value === "bigint" ? String(value) : JSON.stringify(Object.is(value, -0) ? 0 : value));

describe.each([["Modbus", modbus], ["S7", siemens],
  ["EtherNet/IP", logix]] as const)(`arrays of %s, seed ${seed}`, (_name, layout) => {
  test("each item is what a tag of its own at that place is", () => {
    const random = createRandom(seed);
    let bad = 0;
    for (let round = 0; round < 300; round++) {
      const item = random.pick([...numbers, "bool"]) as ItemType;
      const count = 1 + random.below(20);
      const scaled = item !== "bool" && random.chance(0.3);
      const more = {
        ...(layout === modbus
          ? { wordOrder: random.pick(["ABCD", "CDAB", "BADC", "DCBA"] as const) } : {}),
        ...(scaled ? { scale: random.pick([0.1, -2, 1000]), offset: random.pick([0, 7]) } : {}),
        ...(item === "int16" && random.chance(0.3)
          ? { signal: [-10000, 10000] as const, scale: 0.01 } : {}),
      };
      const places = layout.places(random, item, count);
      const array = ringFor([tag(places[0]!, `${item}[${count}]`, more)]);
      const single = ringFor(places.map((at) => tag(at, item, more)));
      const link = linkOf(layout.driver, { host: "a" });
      expect(layout.driver.checkTag(array.tags[0]!, link)).toBeNull();
      const known = new Map<string, number>();
      const fill = (place: string): number => {
        if (!known.has(place)) known.set(place, random.below(256));
        return known.get(place)!;
      };
      const plan = layout.driver.plan(array.tags, link);
      expect(plan.length).toBe(1);
      for (const seq of [0, 1]) {
        known.clear();
        const before = seq === 0 ? null : seen(array.ring, array.tags[0]!, 0);
        for (const request of plan) layout.decode(request, fill, array.ring, seq);
        for (const request of layout.driver.plan(single.tags, link)) {
          layout.decode(request, fill, single.ring, seq);
        }
        const whole = seen(array.ring, array.tags[0]!, seq);
        const items = single.tags.map((one) => seen(single.ring, one, seq));
        const spoiled = items.find(({ state }) => state > UNCERTAIN_MAX);
        const doubtful = items.find(({ state }) => state !== GOOD);
        expect(whole).toEqual({
          state: (spoiled ?? doubtful)?.state ?? GOOD,
          value: spoiled === undefined ? `[${items.map(({ value }) => asItem(value)).join(",")}]`
            : before === null ? null : before.value,
        });
        if (spoiled !== undefined) bad += 1;
      }
    }
    // NaN, broken wires and numbers from 2^63 on have come.
    expect(bad).toBeGreaterThan(20);
  });
});

describe("arrays of Modbus", () => {
  const problem = (at: string, type: string, settings: object = {}, more = {}) =>
    modbusTcp.checkTag(tag(at, type as "int16", more),
      linkOf(modbusTcp, { host: "a", ...settings }));

  test("what one read cannot carry is refused with what it can", () => {
    expect(problem("holding 0", "int16[125]")).toBeNull();
    expect(problem("holding 0", "float32[62]")).toBeNull();
    expect(problem("coil 0", "bool[2000]")).toBeNull();
    expect(problem("holding 0.0", "bool[2000]")).toBeNull();
    expect(problem("holding 0", "float32[63]")).toBe("float32[63] at `holding 0` fills 126 " +
      "registers and one read carries 125: an array is read as a whole, so at most 62 items " +
      "here, or two tags");
    expect(problem("holding 0", "int16[17]", { maxRegisters: 16 })).toContain("at most 16 items");
    expect(problem("coil 0", "bool[300]", { maxRegisters: 16 })).toContain("at most 256 items");
    expect(problem("holding 0.5", "bool[2000]")).toContain("fills 126 registers");
    expect(problem("holding 65534", "int16[3]")).toContain("the 3 items end at 65536");
    expect(problem("coil 0", "int16[2]")).toContain("the type must be bool");
    expect(problem("holding 0", "bool[4]")).toContain("needs its bit");
    expect(problem("coil 0", "bool[4]", {}, { scale: 2 })).toContain("no meaning for bool[4]");
    expect(problem("1!400010#BB", "float32[4]")).toBeNull();
  });

  test("no plan divides one, and neighbours are read with it", () => {
    const plan = modbusTcp.plan([tag("holding 0", "int16"), tag("holding 2", "float32[10]"),
      tag("holding 30", "int16"), tag("holding 100", "int16[100]"), tag("holding 150", "int16")],
    tcpLink);
    expect(plan.map(({ text }) => text)).toEqual(["holding 0..30", "holding 100..199"]);
  });

  test("what another master reads of a bus is an array if one read has all of it", () => {
    const { ring, tags } = ringFor([tag("holding 4", "uint16[3]"), tag("coil 3", "bool[6]")]);
    const link = linkOf(modbusRtu, { port: "/dev/null", rs485: "adapter", listenOnly: true });
    const session = modbusRtu.open(link, new ScriptedWire());
    const rows: string[] = [];
    session.listen!({ requests: modbusRtu.plan(tags, link), interval: () => 100,
      begins: () => ring.claim(1),
      came(request) {
        session.fill!(request, ring, ring.head);
        rows.push(...tags.map((one) => {
          const { value, state } = seen(ring, one, ring.head & ring.mask);
          return `${stateName(state)} ${value}`;
        }));
        ring.publish(1);
      } }, 0);
    let now = 0;
    const hear = (...frames: number[][]): void => {
      for (const frame of frames) {
        const bytes = withCrc(...frame);
        session.receive(bytes, bytes.length, (now += 30));
        session.step(now);
      }
      session.step((now += 1000));
    };
    // The first row ends before the coils are read: they are not known to be read at all.
    const cycle = [[1, 3, 0, 3, 0, 5], [1, 3, 10, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5],
      [1, 1, 0, 0, 0, 16], [1, 1, 2, 0b10101000, 0b1]];
    hear(...cycle, ...cycle);
    expect(rows).toContain("good [2,3,4]");
    expect(rows).toContain("good [true,false,true,false,true,true]");
    // Half of one is none.
    rows.length = 0;
    hear([1, 3, 0, 4, 0, 2], [1, 3, 4, 0, 9, 0, 9]);
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.filter((text) => text.includes("9") || text.startsWith("good"))).toEqual([]);
  });
});
