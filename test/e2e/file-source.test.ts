import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { appendFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { binary, Program, until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";

/** A file as a stream, in the compiled binary, by kills and changes. */
const threads = Number(process.env["THREADS"] ?? 1);
const folder = workFolder();
const rows = join(folder.path, "rows.csv");
const store = join(folder.path, "store");
let gateway: RunningGateway | null = null;

const config = (source: object, more: object = {}): string => folder.write("gateway.json", {
  gateway: { id: "files", profile: threads === 1 ? "generic-512mb" : "generic-1gb" },
  sources: { numbered: { type: "file", file: "rows.csv", format: "csv", poll: "50ms", ...source } },
  rules: {
    tally: { sql: "SELECT count(*) AS seen, sum(cast(n, 'bigint')) AS total FROM numbered" },
  },
  api: { listen: "127.0.0.1:0" }, store: { checkpoint: "100ms" }, ...more,
});
const typed = { columns: { n: "int64", name: "text(16)" } };

const start = async (source: object): Promise<void> => {
  gateway = await RunningGateway.start(config(source), store, ["--normal"]);
};
const append = (from: number, to: number): void => {
  for (let n = from; n <= to; n++) appendFileSync(rows, `${n},"row ${n}"\n`);
};
const tally = async (): Promise<any> =>
  (await gateway!.get("/streams/tally/latest")).body?.values ?? null;
const seen = (n: number) => until(`${n} rows`, async () => (await tally())?.seen === n);
const source = async (): Promise<any> => (await gateway!.get("/streams")).body
  .find(({ name }: { name: string }) => name === "numbered").source;

beforeAll(async () => void await binary(), 120_000);
beforeEach(() => writeFileSync(rows, "n,name\n"));
afterEach(async () => {
  await gateway?.stop("SIGKILL");
  gateway = null;
  rmSync(store, { recursive: true, force: true });
});
afterAll(() => folder.remove());

for (const [what, columns] of [["declared columns", typed], ["no declared columns", {}]] as const) {
  test(`each row is counted once over kills and an orderly stop: ${what}`, async () => {
    append(1, 3000);
    await start(columns);
    await until("the first", async () => (await tally()) !== null);
    await gateway!.stop("SIGKILL");
    append(3001, 4000);
    await start(columns);
    await seen(4000);
    append(4001, 4100);
    await seen(4100);
    await gateway!.stop();
    append(4101, 4110);
    await start(columns);
    await seen(4110);
    expect(Number((await tally()).total)).toBe(4110 * 4111 / 2);
  }, 120_000);
}

test("rows are known by their new columns after a restart, and none comes again", async () => {
  append(1, 50);
  await start({ columns: { n: "int64" } });
  await seen(50);
  await gateway!.stop();
  // Twice: the first checkpoint of the new columns must not forget the place.
  for (let i = 0; i < 2; i++) {
    await start(typed);
    await until("the source", async () => (await source())?.state === "open");
    await Bun.sleep(300);
    await gateway!.stop();
  }
  append(51, 60);
  await start(typed);
  await until("the next rows", async () =>
    (await gateway!.get("/streams/numbered/latest")).body?.values.name === "row 60");
  expect((await gateway!.get("/health")).body.lost).toEqual({});
  expect((await gateway!.get("/streams")).body
    .find(({ name }: { name: string }) => name === "numbered").rows).toBe(10);
}, 120_000);

test("a change while it runs goes on at the same row: its pace, and its columns", async () => {
  append(1, 40);
  await start({ ...typed, interval: "50ms" });
  await until("some rows", async () => Number((await tally())?.seen ?? 0) > 5);
  const apply = async (settings: object): Promise<void> => {
    const { code, output } = await gateway!.cli("apply", config(settings), "--by", "test");
    expect({ code, output }).toMatchObject({ code: 0 });
  };
  await apply(typed);
  await seen(40);
  await apply({ columns: { n: "int64", name: "text(32)" } });
  append(41, 45);
  await until("the next rows", async () =>
    (await gateway!.get("/streams/numbered/latest")).body?.values.n === "45");
  // Nothing came again: the rule that reads it began anew, and saw five.
  expect((await tally()).seen).toBe(5);
}, 120_000);

test("what is wrong with a file shows in /health and /streams, and mends by itself", async () => {
  rmSync(rows);
  await start(typed);
  await until("trouble", async () => (await gateway!.get("/health")).body.troubles.join()
    .includes("source numbered: ENOENT"));
  expect((await source()).state).toBe("down");
  writeFileSync(rows, "n,name\nno number,a\n2,b,c\n3,c\n");
  await seen(2);
  expect(await source()).toMatchObject({ state: "open", received: 2, dropped: 1 });
  expect((await source()).lastError).toContain("3 fields, where the header has 2: n, name");
  expect((await gateway!.get("/health")).body.status).toBe("ok");
}, 120_000);

test("check refuses what is wrong with a source of a file", async () => {
  const check = async (settings: object, more: object = {}): Promise<string> => {
    const program = new Program([await binary(), "check", config(settings, more)]);
    await program.child.exited;
    await program.stop();
    return program.output;
  };
  expect(await check({ format: "xml" })).toContain('format: expected "json" or "csv"');
  expect(await check({ interval: "fast" })).toContain("interval: expected a duration from 1ms");
  expect(await check({ path: "rows.csv" })).toContain("path: unknown setting");
  expect(await check({ ...typed, header: ["n"] }))
    .toContain("header: there is no field for the column name; known are n");
  expect(await check({ format: "json", header: ["n"] })).toContain("header: only csv has one");
  const writing = {
    links: { plc: { type: "modbus-tcp", host: "127.0.0.1" } },
    devices: { press: { link: "plc", groups: { slow: "1s" }, tags: {
      setpoint: { at: "holding 0", type: "int16", access: "read-write" } } } },
    rules: { wanted: { sql: "SELECT n FROM numbered" }, hold: { sql: "SELECT n FROM wanted",
      to: [{ write: "press.setpoint", from: "n" }] } },
    policy: { "press.setpoint": { allow: ["rule:hold"], min: 0, max: 1,
      onLoss: { after: "1s", value: "hold" } } },
  };
  expect(await check(typed, writing)).toContain(
    "rules.wanted.sql: Nobody knows how old the rows of numbered are");
}, 120_000);
