import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { mosquittoPath } from "../connector/broker.ts";
import { workFolder } from "../support/binary.ts";
import { crash } from "./crash.ts";

const count = Number(process.env["SOAK_COUNT"] ?? 12);
const seed = Number(process.env["SOAK_SEED"] ?? Date.now() % 1_000_000_000);
const folder = workFolder();
const library = join(folder.path, "kill_at.so");

beforeAll(() => {
  const source = join(import.meta.dir, "kill_at.c");
  const { exitCode, stderr } = Bun.spawnSync(["cc", "-shared", "-fPIC", "-O1", "-o", library,
    source, "-ldl"]);
  if (exitCode !== 0) throw new Error(stderr.toString());
});
afterAll(() => folder.remove());

for (const threads of [1, 3] as const) {
  test.skipIf(mosquittoPath === null)(
    `killed ${count} times, threads ${threads}: no row lost, state counts each row once`,
    async () => {
      console.log(`seed ${seed}`);
      const { kills, rows, again, wrong, log } = await crash(count, seed, threads, library);
      console.log(`${rows} rows, ${again} came more than once; killed ${JSON.stringify(kills)}`);
      if (wrong.length > 0) console.log(log);
      expect(wrong).toEqual([]);
      expect(rows).toBeGreaterThan(100);
    }, 7_200_000);
}
