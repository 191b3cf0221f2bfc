import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { MqttClient } from "mqtt";
import { mosquittoBroker, mosquittoPath, type Broker } from "../connector/broker.ts";
import { binary, until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import { freePort } from "../support/port.ts";
import { canPreload, preload } from "../support/preload.ts";

/** Scope 7: what a rule remembers, and what a source has acknowledged, outlasts a kill. */
const threads = Number(process.env["THREADS"] ?? 1);
const rules = {
  tally: "SELECT count(*) AS seen, sum(n) AS total, max(ewma(n, 2.0)) AS smooth FROM numbered",
  passed: "SELECT n FROM numbered",
};
const config = (port: number, sql: object = {}): object => ({
  gateway: { id: "state", profile: threads === 1 ? "generic-512mb" : "generic-1gb" },
  links: { broker: { type: "mqtt", host: "127.0.0.1", port } },
  sources: { numbered: { type: "mqtt", link: "broker", topic: "in", qos: 1,
    columns: { n: "int64" } } },
  rules: Object.fromEntries(Object.entries({ ...rules, ...sql })
    .map(([name, text]) => [name, { sql: text, to: ["out"] }])),
  sinks: { out: { type: "mqtt", link: "broker", topic: "out/{rule}", qos: 1, identity: true } },
  api: { listen: "127.0.0.1:0" },
  store: { checkpoint: "100ms" },
});

const folder = workFolder();
const preloaded = canPreload ? preload("no_space", folder.path) : {};
const noSpace = join(folder.path, "no-space");
let broker: Broker;
let client: MqttClient;
let got: Record<string, any>[];
let store: string;
let gateway: RunningGateway;
let sent = 0;

beforeAll(async () => {
  await binary();
}, 120_000);
afterAll(() => folder.remove());

beforeEach(async () => {
  if (mosquittoPath === null) return;
  broker = await mosquittoBroker();
  await broker.start();
  got = [];
  sent = 0;
  store = join(folder.path, `store-${await freePort()}`);
  const { port } = broker;
  client = new MqttClient(() => connectTcp({ host: "127.0.0.1", port }),
    { protocol: "mqtt", host: "127.0.0.1", port });
  client.on("message", (_topic, payload) => got.push(JSON.parse(payload.toString())));
  await client.subscribeAsync("out/#", { qos: 1 });
});
afterEach(async () => {
  rmSync(noSpace, { force: true });
  await gateway?.stop("SIGKILL");
  client?.end(true);
  await broker?.stop();
});

async function start(sql: object = {}): Promise<void> {
  const file = folder.write("gateway.json", config(broker.port, sql));
  gateway = await RunningGateway.start(file, store, ["--normal"],
    { ...preloaded, NO_SPACE: noSpace });
  // What is sent before the first subscription is nobody's.
  if (sent === 0) await until("subscribed", () => gateway.program.output.includes("subscribed"));
}

async function send(n: number): Promise<void> {
  for (let i = 0; i < n; i++) await client.publishAsync("in", `{"n":${++sent}}`, { qos: 1 });
}

const newest = (column: string): any => got.filter((row) => column in row).at(-1);
const seen = (n: number) => until(`${n} rows`, () => newest("seen")?.seen === n);
const state = async (): Promise<any> => (await gateway.get("/health")).body.state;
const checkpoint = async (): Promise<void> => {
  const before = (await state()).checkpoint;
  await until("a checkpoint", async () => (await state()).checkpoint !== before);
};

/** While nobody runs. */
function damage(sql: string): number {
  const db = new Database(join(store, "state.sqlite"));
  const { changes } = db.run(sql);
  db.close();
  return changes;
}

const scene = test.skipIf(mosquittoPath === null);

scene("after a kill a rule goes on with its state, and with what came meanwhile", async () => {
  await start();
  await send(20);
  await seen(20);
  await checkpoint();
  await send(5);
  await seen(25);
  await gateway.stop("SIGKILL");
  await send(5);
  await start();
  await seen(30);
  expect(newest("seen")).toMatchObject({ total: 465, identity: { epoch: 1, number: 29 } });
  expect(newest("seen").smooth).toBeGreaterThan(0);
  expect(gateway.program.output).toContain("2 rules go on from the checkpoint");
  // An orderly stop leaves nothing to replay.
  await gateway.stop();
  await start();
  await send(1);
  await seen(31);
  expect(gateway.program.output).not.toContain("were replayed");
}, 120_000);

scene("a sink made anew, or that comes while it runs, does not hold up its rules", async () => {
  await start();
  // More than half of what a rule's ring has room for, so that a place of 0 would be far behind.
  await send(1500);
  await seen(1500);
  const apply = async (change: (next: any) => void): Promise<void> => {
    const next: any = config(broker.port);
    change(next);
    const { code, output } =
      await gateway.cli("apply", folder.write("new.json", next), "--by", "test");
    expect({ code, output }).toMatchObject({ code: 0 });
  };
  await apply((next) => { next.sinks.out.quality = true; });
  await send(100);
  await seen(1600);
  await apply((next) => {
    next.sinks.out.quality = true;
    next.sinks.more = { ...next.sinks.out, topic: "out/more/{rule}" };
    for (const rule of Object.values<any>(next.rules)) rule.to = ["out", "more"];
  });
  await send(100);
  await until("a row at both", () => got.filter((row) => row.seen === 1700).length === 2);
  expect((await gateway.get("/health")).body.lost).toEqual({});
}, 120_000);

scene("a rule that means something else starts cold and is told of, others go on", async () => {
  await start();
  await send(10);
  await seen(10);
  await gateway.stop();
  await start({ tally: "SELECT count(*) AS seen, sum(n) AS total FROM numbered WHERE n > 0",
    passed: "SELECT n, lag(n) AS before FROM numbered" });
  await send(1);
  await until("the next row", () => newest("before") !== undefined);
  expect(newest("before")).toMatchObject({ n: 11, before: null,
    identity: { epoch: 2, number: 0 } });
  expect(gateway.program.output).toContain("passed starts cold: its plan, columns, types or units");
}, 120_000);

scene("a damaged segment is told of and counted; the rest goes on", async () => {
  await start();
  await send(10);
  await seen(10);
  await gateway.stop();
  expect(damage("UPDATE segments SET content = zeroblob(30) WHERE owner = 'tally'"))
    .toBeGreaterThan(0);
  await start();
  await send(1);
  await seen(1);
  expect(gateway.program.output).toContain("tally starts cold: its checkpoint is damaged");
  expect(gateway.program.output).toContain("1 rules go on from the checkpoint");
}, 120_000);

scene("damaged rows of the journal are counted as lost, those after them are not", async () => {
  await start();
  for (let i = 0; i < 4; i++) {
    await send(1);
    await seen(sent);
  }
  await gateway.stop("SIGKILL");
  // As before the first checkpoint: all is in the journal, a row a commit.
  damage("DELETE FROM segments WHERE kind <> 'journal'");
  expect(damage("UPDATE segments SET checksum = checksum + 1 WHERE first IN (1, 2)")).toBe(2);
  await start();
  await send(1);
  await seen(3);
  expect(newest("seen")).toMatchObject({ total: 1 + 4 + 5 });
  expect((await gateway.get("/health")).body.lost).toMatchObject({ "journal numbered": 2 });
  expect(gateway.program.output).toContain("1 rows of numbered are lost: their segment is damaged");
}, 120_000);

scene("a state file that is no database is kept aside; everything starts cold", async () => {
  await start();
  await send(3);
  await seen(3);
  await gateway.stop();
  for (const name of readdirSync(store).filter((file) => file.startsWith("state.sqlite"))) {
    writeFileSync(join(store, name), "this is no database, whatever somebody may hope for");
  }
  await start();
  await send(1);
  await seen(1);
  expect(readdirSync(store)).toContain("state.sqlite.damaged");
  await until("told", () => gateway.program.output.includes("kept as state.sqlite.damaged"));
}, 120_000);

scene("a full disk: nothing is acknowledged, /health says so, the rest goes on", async () => {
  await start();
  await send(5);
  await seen(5);
  writeFileSync(noSpace, "");
  await send(5);
  const troubled = async (): Promise<string> =>
    (await gateway.get("/health")).body.troubles.join("; ");
  await until("told", async () => (await troubled()).includes("nothing of numbered is acknow"));
  expect(newest("seen").seen).toBe(5);
  // Killed now: what was not acknowledged comes again, and is counted once.
  await gateway.stop("SIGKILL");
  rmSync(noSpace);
  await start();
  await seen(10);
  expect(newest("seen")).toMatchObject({ total: 55 });
  writeFileSync(noSpace, "");
  await send(5);
  await until("told", async () => (await troubled()).includes("nothing of numbered is acknow"));
  rmSync(noSpace);
  await seen(15);
  expect(newest("seen")).toMatchObject({ total: 120 });
}, 120_000);
