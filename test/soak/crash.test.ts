import { afterAll, expect, test } from "bun:test";
import { mosquittoPath } from "../connector/broker.ts";
import { workFolder } from "../support/binary.ts";
import { canPreload, preload } from "../support/preload.ts";
import { crash } from "./crash.ts";

const count = Number(process.env["SOAK_COUNT"] ?? 12);
const seed = Number(process.env["SOAK_SEED"] ?? Date.now() % 1_000_000_000);
const folder = workFolder();
const preloaded = canPreload ? preload("kill_at", folder.path, import.meta.dir) : null;
afterAll(() => folder.remove());

for (const threads of [1, 3] as const) {
  test.skipIf(mosquittoPath === null || preloaded === null)(
    `killed ${count} times, threads ${threads}: no row lost, state counts each row once`,
    async () => {
      console.log(`seed ${seed}`);
      const { kills, rows, again, wrong, log } = await crash(count, seed, threads, preloaded!);
      console.log(`${rows} rows, ${again} came more than once; killed ${JSON.stringify(kills)}`);
      if (wrong.length > 0) console.log(log);
      expect(wrong).toEqual([]);
      expect(rows).toBeGreaterThan(100);
    }, 7_200_000);
}
