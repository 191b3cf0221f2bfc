import { expect, test } from "bun:test";
import { caseOf } from "./differential.ts";

/**
 * Random queries over random rows: generated code and the slow reference give the same, to the bit.
 * SOAK_COUNT cases from SOAK_SEED on; case i of seed s is case 0 of seed s + i.
 */
const count = Number(process.env["SOAK_COUNT"] ?? 300);
const seed = Number(process.env["SOAK_SEED"] ?? Date.now() % 1_000_000_000);

test(`generated code = slow reference, ${count} random queries from seed ${seed}`, () => {
  const kinds = new Map<string, number>();
  let refused = 0;
  for (let i = 0; i < count; i++) {
    const one = caseOf(seed + i);
    if (one === null) {
      refused += 1;
      continue;
    }
    const [expected, actual] = [one.expected(one.seed), one.run(one.program, one.seed)];
    expect([one.title, actual]).toEqual([one.title, expected]);
    for (const kind of one.kinds) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  console.log(`${count} cases, ${refused} refused by the binder, stages:`,
    Object.fromEntries(kinds));
  expect(refused).toBeLessThan(Math.max(10, count / 5));
}, 7_200_000);
