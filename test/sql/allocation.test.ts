import { expect, test } from "bun:test";

const queries = {
  "filter → pane": "SELECT avg(a) AS mean, max(b) AS most, count(*) AS n FROM s WHERE a > 50 " +
    "GROUP BY TUMBLINGWINDOW(ss, 1)",
  "panes of a hopping window": "SELECT avg(a) AS mean, stddev(b) AS spread FROM s WHERE a > 50 " +
    "GROUP BY HOPPINGWINDOW(ss, 2, 1)",
  "rows of a sliding window": "SELECT median(a) AS middle, max(b) AS most FROM s " +
    "GROUP BY SLIDINGWINDOW(ms, 100)",
  "running aggregate by key": "SELECT sum(a) AS total FROM s GROUP BY floor(b)",
  "running aggregate by key, of which the oldest gives way": "SELECT sum(a) AS total FROM s " +
    "GROUP BY floor(b) KEYS 16 EVICT OLDEST",
  "functions with state → filter → pane": "SELECT avg(lag(a, 3)) AS mean, " +
    "max(ewma(b, 1s) OVER (PARTITION BY floor(a) KEYS 200 WHEN b > 5)) AS most, " +
    "last(debounce(a > b, 50ms)) AS steady FROM s WHERE had_changed(TRUE, a) " +
    "GROUP BY TUMBLINGWINDOW(ss, 1)",
  "many streams as one, with the name of each": "SELECT device, a + b AS sum FROM m-*.fast " +
    "WHERE a > 50",
  "rows of a table, all of them known": "SELECT s.a, r.weight FROM s JOIN parts AS r " +
    "ON r.id = cast(floor(s.a), 'bigint')",
  "a controller, an alarm, the last rows": "SELECT pid(a, 50, 2, 5s, 1s, 0, 100, 1s) AS y, " +
    "alarm(b > 90, 20ms, 20ms, 'hot') AS hot, moving_median(a, 5) AS middle, zscore(b, 5) AS z, " +
    "moving_slope(a, 5) AS slope, cusum(b, 50, 5) AS drift FROM s",
};

/** Issue "running loop", E: the hot path allocates nothing. */
test.each(Object.entries(queries))(
  "bytes → Modbus decode → ring → %s: 10^7 rows, < 64 KB more heap, no collection", (_, sql) => {
  const child = Bun.spawnSync([process.execPath, `${import.meta.dir}/allocation.child.ts`, sql], {
    env: { ...process.env, BUN_JSC_logGC: "1" }, stdout: "pipe", stderr: "pipe",
  });
  const log = `${child.stdout}${child.stderr}`;
  const report = /\{"grown".*\}/.exec(log);
  if (report === null) throw new Error(log);
  const { grown, in: taken, out } = JSON.parse(
    report[0]) as { grown: number; in: number; out: number };
  expect(taken).toBe(12_000_000);
  expect(out).toBeGreaterThan(100_000);
  expect(grown).toBeLessThan(64 * 1024);
  const stderr = child.stderr.toString();
  const running = stderr.slice(stderr.indexOf("begin\n"), stderr.indexOf("end\n"));
  // The two forced collections show that the log is there at all.
  expect(stderr.split("FullCollection").length).toBeGreaterThan(3);
  expect(running.includes("GC<")).toBe(false);
}, 120_000);
