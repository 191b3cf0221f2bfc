import { expect, test } from "bun:test";
import { createRandom } from "../../src/base.ts";
import { modbusTcp, type DriverTag, type Wire } from "../../src/driver.ts";
import { Arena, Ring, tagColumn } from "../../src/ring.ts";

const seed = Number(process.env["SOAK_SEED"] ?? Date.now() % 1e6);

test(`W24: a poll sends nothing that acts: only function codes 1 to 4 (seed ${seed})`, () => {
  const random = createRandom(seed);
  const areas = ["holding", "input", "coil", "discrete"] as const;
  const tags = Array.from({ length: 200 }, (_, column): DriverTag => {
    const area = random.pick(areas);
    const bit = area === "coil" || area === "discrete";
    return {
      id: `d.t${column}`, station: 1 + random.below(5), at: `${area} ${random.below(60_000)}`,
      type: bit ? "bool" : random.pick(["int16", "uint32", "float32", "int64"] as const),
      scale: 1, offset: 0, decimals: null, signal: null, wordOrder: "ABCD", column,
      writable: area === "holding",
    };
  });
  const settings = modbusTcp.settings.parse({ host: "127.0.0.1" });
  const link = { name: "l", type: "modbus-tcp", settings };
  const columns = tags.map((tag) => tagColumn(tag.id, tag.type));
  const layout = Ring.layout("d.g", columns, 16);
  const { ring } = Ring.create(Arena.create(layout.bytes * 2), layout);
  const codes = new Set<number>();
  const wire: Wire = {
    open() {}, drain() {}, reset() {},
    send(bytes) {
      codes.add(bytes[7]!);
      return true;
    },
  };
  for (const request of modbusTcp.plan(tags, link)) {
    const session = modbusTcp.open(link, wire);
    session.read(request, ring, 0, 1000);
    session.step(1000);
  }
  expect([...codes].sort()).toEqual([1, 2, 3, 4]);
});
