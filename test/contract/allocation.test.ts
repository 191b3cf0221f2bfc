import { expect, test } from "bun:test";
import { kits } from "./drivers.ts";

const children = [...kits.map(({ driver: { type } }) => [type, "allocation.child.ts"]),
  ["listenOnly", "listening.child.ts"]] as [string, string][];

test.each(children)(
  "%s: a million polls from request to cells, < 64 KB more heap, no collection", (type, file) => {
    const child = Bun.spawnSync([process.execPath, `${import.meta.dir}/${file}`, type],
      { env: { ...process.env, BUN_JSC_logGC: "1" }, stdout: "pipe", stderr: "pipe" });
    const stderr = child.stderr.toString();
    const report = /\{"grown".*\}/.exec(`${child.stdout}${stderr}`);
    if (report === null) throw new Error(stderr);
    const { grown, polls } = JSON.parse(report[0]) as { grown: number; polls: number };
    expect(polls).toBe(2_000_000);
    expect(grown).toBeLessThan(64 * 1024);
    const running = stderr.slice(stderr.indexOf("begin\n"), stderr.indexOf("end\n"));
    expect(stderr.split("FullCollection").length).toBeGreaterThan(3);
    expect(running.includes("GC<")).toBe(false);
  }, 120_000);
