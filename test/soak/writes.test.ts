import { expect, test } from "bun:test";
import { join } from "node:path";
import { canPreload, preload } from "../support/preload.ts";
import { python } from "../support/python.ts";
import { workFolder } from "../support/binary.ts";
import { soakWrites } from "./writes.ts";

/** Machines of other makers, with texts. */
const machines = python("asyncua, snap7");
const skipped = !canPreload || machines === null;
test.skipIf(skipped)("W22: write attempts of every kind, judged by the machine", async () => {
  const seed = Number(process.env["SOAK_SEED"] ?? Date.now() % 1_000_000);
  console.log(`seed ${seed}`);
  const folder = workFolder();
  const result = await soakWrites(Number(process.env["SOAK_COUNT"] ?? 300), seed,
    machines!, { ...preload("clock_sync", folder.path), UNSYNCED: join(folder.path, "unsynced") });
  folder.remove();
  console.log(JSON.stringify(result));
  expect(result.wrong).toEqual([]);
  expect(result.short).toEqual([]);
  expect(result.judge.findings).toEqual({});
  expect(result.ok).toBe(true);
}, 7_200_000);
