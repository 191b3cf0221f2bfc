import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createRandom } from "../../src/base.ts";
import { load, problemText } from "../../src/config.ts";
import { components } from "./components.ts";

const folder = join(import.meta.dir, "line");
const count = Number(process.env.SOAK_COUNT ?? 400);
const seed = Number(process.env.SOAK_SEED ?? Date.now() % 1_000_000);
const files = ["gateway.json", "write-policy.json", "types/sdm630.csv"];
const odd = ["null", "{}", "[]", "-1", "1e999", '""', '"__proto__"', '"{n}"', "}", ",", ":", ";",
  '"', "\n", "\u0000", "//", "/*", "true", '"env:X"', '"file:"', '"m-{1..9}"', "𝄞"];

test(`a damaged file gives a gateway or problems, never an exception (seed ${seed})`, () => {
  const random = createRandom(seed);
  const texts = new Map(files.map((file) => [join(folder, file), ""]));
  for (const path of texts.keys()) texts.set(path, readFileSync(path, "utf8"));
  let refused = 0;
  for (let round = 0; round < count; round++) {
    const damaged = join(folder, random.pick(files));
    const read = (path: string): string => {
      const text = texts.get(path);
      if (text === undefined) throw new Error(`no file ${path}`);
      return path === damaged ? damage : text;
    };
    const text = texts.get(damaged)!;
    const from = random.below(text.length);
    const to = Math.min(text.length, from + random.pick([0, 1, 2, 8, 40]));
    const damage = text.slice(0, from) + random.pick(odd) + text.slice(to);
    const path = join(folder, "gateway.json");
    const { gateway, problems } = load(read(path), {
      path, components, readFile: read, env: {},
    });
    expect(gateway === null).toBe(problems.length > 0);
    for (const problem of problems) {
      expect(problemText(problem, "gateway.json")).not.toMatch(/undefined|\[object|NaN/);
    }
    if (gateway === null) refused++;
  }
  expect(refused).toBeGreaterThan(count / 4);
}, 30_000 + count * 20);
