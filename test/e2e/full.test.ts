import { afterAll, beforeAll, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { join } from "node:path";
import type { RunningGateway } from "../support/gateway.ts";
import { until } from "../support/binary.ts";
import { good, Site } from "../support/plant.ts";

/** W10, W21: a full audit stops writing, says what to do, and a person makes room. */
const config = {
  gateway: { id: "full" },
  links: { oven: { type: "modbus-tcp", host: "192.0.2.1", timeout: "2s" } },
  devices: { oven: { link: "oven", groups: { fast: "100ms" }, tags: {
    setpoint: { at: "holding 0", type: "int16", access: "read-write" } } } },
  policy: { "oven.setpoint": { allow: ["cli"], maxMode: "armed", min: 0, max: 100,
    minInterval: "1ms" } },
  api: { listen: "127.0.0.1:0" },
  store: { maxMB: 16 },
};
const day_ms = 86_400_000;

let site: Site;
let gateway: RunningGateway;
beforeAll(async () => { site = await Site.start(config); }, 120_000);
afterAll(() => site?.stop());

const write = async (id: string, value: number): Promise<any> => (await gateway.post("/write",
  { id, tag: "oven.setpoint", value, within: "5s" })).body;

async function start(): Promise<void> {
  gateway = await site.run(site.live(), ["--normal"]);
  await good(gateway, "oven.setpoint");
}

test("full: reading goes on, writing is refused with what to do; pruning lets it on", async () => {
  await start();
  await gateway.arm("oven.setpoint");
  expect((await write("first", 11)).outcome).toBe("verified");
  await gateway.stop();
  // As if it had been filled by yesterday: the rows of today stay.
  const db = new Database(join(site.store, "store.sqlite"));
  const yesterday = Date.now() - day_ms;
  db.run("UPDATE attempts SET time = ?", [yesterday]);
  const columns = db.query("SELECT group_concat(name) AS n FROM pragma_table_info('attempts')")
    .get() as { n: string };
  const others = columns.n.replace("row,", "").replace(",id,", ",'old-' || value,");
  const into = columns.n.replace("row,", "");
  db.run(`INSERT INTO attempts (${into}) SELECT ${others} FROM attempts
          JOIN (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT 50000)
                SELECT value FROM n) WHERE id = 'first'`);
  db.close();
  await start();
  await gateway.arm("oven.setpoint");
  const refused = await until("writing stops", async () => {
    const answer = await write(`w-${crypto.randomUUID()}`, 12);
    return answer.outcome === "refused" ? answer : null;
  });
  expect(refused).toMatchObject({ code: "audit-unavailable" });
  expect(refused.text).toContain("tagwerk audit --prune-before DATE --by NAME");
  expect((await gateway.get("/health")).body.writing.audit).toBe("unavailable");
  expect((await gateway.get("/health")).body.troubles.join(" ")).toContain("the audit is full");
  await good(gateway, "oven.setpoint");

  const tomorrow = new Date(Date.now() + day_ms).toISOString();
  const tooNear = await gateway.cli("audit", "--prune-before", tomorrow, "--by", "anna");
  expect([tooNear.code, tooNear.output]).toEqual([1, expect.stringContaining("writes of the day")]);
  const today = new Date().toISOString().slice(0, 10);
  const pruned = await gateway.cli("audit", "--prune-before", today, "--by", "anna");
  expect(pruned.code).toBe(0);
  expect(pruned.output).toMatch(/^50\d\d\d rows before .* were deleted/);
  await until("written again", async () =>
    (await write(`w-${crypto.randomUUID()}`, 13)).outcome === "verified");
  // W17: an id whose row is gone is still known. And that rows were deleted is a row.
  expect(await write("old-7", 14)).toMatchObject({ outcome: "refused", code: "duplicate" });
  expect((await gateway.get("/audit?limit=50")).body).toContainEqual(
    expect.objectContaining({ code: "pruned", who: "anna" }));
}, 120_000);
