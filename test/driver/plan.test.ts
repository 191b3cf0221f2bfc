import { describe, expect, test } from "bun:test";
import { createRandom } from "../../src/base.ts";
import { modbusRtu, modbusTcp, type Driver, type DriverTag } from "../../src/driver.ts";
import { linkOf, tag, tcpLink } from "./support.ts";

const texts = (tags: DriverTag[], link = tcpLink): string[] =>
  modbusTcp.plan(tags, link).map((r) => `${r.station}: ${r.text}`);
const seed = Number(process.env.SOAK_SEED ?? Date.now() % 1e9);

describe("plan", () => {
  test("merges by station and area, small gaps read along", () => {
    expect(texts([
      tag("holding 9", "float32"), tag("holding 0", "int16"), tag("input 0", "float32"),
      tag("holding 90", "int16"), tag("discrete 4", "bool"), tag("coil 4", "bool"),
      tag("coil 100", "bool"), tag("holding 1", "int16", { station: 2 }),
    ])).toEqual([
      "1: coil 4..100", "1: discrete 4", "1: input 0..1", "1: holding 0..10", "1: holding 90",
      "2: holding 1",
    ]);
  });

  test("maxGap and maxRegisters narrow it", () => {
    const tags = [
      tag("holding 0", "int16"), tag("holding 2", "int16"), tag("holding 3", "float64"),
    ];
    const of = (more: object): string[] =>
      texts(tags, linkOf(modbusTcp, { host: "a", ...more }));
    expect(of({})).toEqual(["1: holding 0..6"]);
    expect(of({ maxGap: 0 })).toEqual(["1: holding 0", "1: holding 2..6"]);
    expect(of({ maxRegisters: 4 })).toEqual(["1: holding 0..2", "1: holding 3..6"]);
  });

  test("two reads are one again only where nothing lies between them", () => {
    const read = (at: string) => modbusTcp.plan([tag(at, "float32")], tcpLink)[0]!;
    expect(modbusTcp.join!(read("holding 0"), read("holding 2"))!.text).toBe("holding 0..3");
    expect(modbusTcp.join!(read("holding 0"), read("holding 3"))).toBeNull();
  });

  test("a gap is read along where it takes less time than a request, on this line", () => {
    const parts = (driver: Driver, settings: Record<string, unknown>, gap: number): number =>
      driver.plan([tag("holding 0", "int16"), tag(`holding ${gap + 1}`, "int16")],
        linkOf(driver, settings)).length;
    const bus = { port: "/dev/null", rs485: "adapter" };
    // (13 characters + t3.5 + 5 ms) / 2 characters of 11 bits, by hand.
    for (const [baud, gap] of [[1200, 8], [9600, 10], [19200, 12], [115200, 41]] as const) {
      expect([gap, gap + 1].map((n) => parts(modbusRtu, { ...bus, baud }, n))).toEqual([1, 2]);
    }
    expect([50, 51].map((n) => parts(modbusTcp, { host: "a" }, n))).toEqual([1, 2]);
    expect([10, 11].map((n) => parts(modbusTcp, { host: "a", framing: "rtu" }, n))).toEqual([1, 2]);
  });

  test(`random tags, seed ${seed}: all read, none divided, all within bounds`, () => {
    const random = createRandom(seed);
    for (let round = 0; round < 200; round++) {
      const tags = Array.from({ length: 1 + random.below(80) }, () => {
        const station = 1 + random.below(2);
        return random.chance(0.2) ? tag(`coil ${random.below(9000)}`, "bool", { station })
          : tag(`${random.pick(["holding", "input"])} ${random.below(600)}`,
            random.pick(["int16", "float32", "int64", "text(30)"] as const), { station });
      });
      const plan = modbusTcp.plan(tags, tcpLink);
      expect(plan.flatMap((r) => r.tags).length).toBe(tags.length);
      for (const request of plan) {
        const [, area, from, to] = /^(\w+) (\d+)(?:\.\.(\d+))?$/.exec(request.text)!;
        const last = Number(to ?? from);
        expect(last - Number(from) + 1).toBeLessThanOrEqual(area === "coil" ? 2000 : 125);
        for (const one of request.tags) {
          const extent = modbusTcp.extents(one, tcpLink)[0]!;
          expect(one.station).toBe(request.station);
          expect(extent.area).toBe(area!);
          const width = area === "coil" ? 1 : 16;
          expect(extent.from >= Number(from) * width && extent.to < (last + 1) * width).toBe(true);
        }
      }
    }
  });
});
