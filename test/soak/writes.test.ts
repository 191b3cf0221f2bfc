import { expect, test } from "bun:test";
import { join } from "node:path";
import { peer } from "../support/peer.ts";
import { python } from "../support/python.ts";
import { workFolder } from "../support/binary.ts";
import { soakWrites } from "./writes.ts";

const gcc = peer("gcc");
/** Machines of other makers, with texts. */
const machines = python("asyncua, snap7");
const skipped = gcc === null || machines === null;
test.skipIf(skipped)("W22: write attempts of every kind, judged by the machine", async () => {
  const seed = Number(process.env["SOAK_SEED"] ?? Date.now() % 1_000_000);
  console.log(`seed ${seed}`);
  const folder = workFolder();
  const library = join(folder.path, "clock_sync.so");
  const source = join(import.meta.dir, "../support/clock_sync.c");
  expect(Bun.spawnSync([gcc!, "-shared", "-fPIC", "-o", library, source]).exitCode).toBe(0);
  const result = await soakWrites(Number(process.env["SOAK_COUNT"] ?? 300), seed,
    machines!, { LD_PRELOAD: library, UNSYNCED: join(folder.path, "unsynced") });
  folder.remove();
  console.log(JSON.stringify(result));
  expect(result.wrong).toEqual([]);
  expect(result.short).toEqual([]);
  expect(result.judge.findings).toEqual({});
  expect(result.ok).toBe(true);
}, 7_200_000);
