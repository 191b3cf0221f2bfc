import { expect, test } from "bun:test";

test("JSON → cells, declared forms, times, bytes and defaults: no garbage for any message", () => {
  const child = Bun.spawnSync([process.execPath, `${import.meta.dir}/allocation.child.ts`], {
    env: { ...process.env, BUN_JSC_logGC: "1" }, stdout: "pipe", stderr: "pipe",
  });
  const log = `${child.stdout}${child.stderr}`;
  const report = /\{"grown".*\}/.exec(log);
  if (report === null) throw new Error(log);
  const { grown, rows } = JSON.parse(report[0]) as { grown: number; rows: number };
  expect(rows).toBe(500_000);
  expect(grown).toBeLessThan(64 * 1024);
  const stderr = child.stderr.toString();
  // The forced collections show that the log is there at all.
  expect(stderr.split("FullCollection").length).toBeGreaterThan(3);
  expect(stderr.slice(stderr.indexOf("begin\n"), stderr.indexOf("end\n"))).not.toContain("GC<");
}, 120_000);
