import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import mqtt from "mqtt";
import { monotonic } from "../../src/base/os.ts";
import { aedesBroker } from "../connector/broker.ts";
import { models } from "../infer/models.ts";
import { binary, Program, until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { peer } from "../support/peer.ts";
import { good, Site } from "../support/plant.ts";
import { canPreload, preload } from "../support/preload.ts";

/** Must-show I, everything around the loop: broker, messages, models, disk, clock; must-show C. */
const config = {
  gateway: { id: "world" },
  links: {
    oven: { type: "modbus-tcp", host: "192.0.2.1" },
    broker: { type: "mqtt", host: "192.0.2.2" },
  },
  devices: { oven: { link: "oven", groups: { fast: "50ms" }, tags: {
    temperature: { at: "input 0", type: "int16" },
    setpoint: { at: "holding 0", type: "int16", access: "read-write" },
    valve: { at: "holding 2", type: "int16", access: "read-write" } } } },
  sources: { orders: { type: "mqtt", link: "broker", topic: "orders",
    columns: { amount: "int64" } } },
  models: {
    ln: { file: "ln.onnx", memory: "32MB", deadline: "500ms" },
    large: { file: "large.onnx", memory: "8MB", deadline: "500ms" },
  },
  rules: {
    plain: { sql: "SELECT temperature FROM oven.fast", to: ["out"] },
    ordered: { sql: "SELECT amount FROM orders", to: [] },
    logarithm: { sql: "SELECT infer('ln', temperature) AS y FROM oven.fast",
      to: [{ write: "oven.valve", from: "y" }] },
    greedy: { sql: "SELECT infer('large', temperature) AS y FROM oven.fast", to: [] },
  },
  sinks: { out: { type: "mqtt", link: "broker", topic: "out" } },
  commands: { link: "broker", topic: "write" },
  policy: {
    "oven.setpoint": { allow: ["cli", "mqtt"], maxMode: "armed", min: 0, max: 100,
      minInterval: "1ms" },
    "oven.valve": { allow: ["rule:logarithm"], maxMode: "armed", min: -100, max: 100,
      minInterval: "1ms", onLoss: { after: "30s", value: "hold" } },
  },
  api: { listen: "127.0.0.1:0" },
};
const plant = { "oven.temperature": { kind: "constant", value: 20 },
  "oven.setpoint": { kind: "follow", value: 10 }, "oven.valve": { kind: "follow", value: 3 } };
const faketime = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
const isRoot = process.getuid!() === 0;

let site: Site;
let gateway: RunningGateway;
let broker: Awaited<ReturnType<typeof aedesBroker>>;

const live = () => site.live({ broker: { host: "127.0.0.1", port: broker.port } });
const rows = async (rule: string): Promise<number> =>
  (await gateway.get(`/rules/${rule}`)).body.rows_out;
const write = async (value: number): Promise<any> => (await gateway.post("/write",
  { id: `w-${crypto.randomUUID()}`, tag: "oven.setpoint", value, within: "5s" })).body;

/** Requests of one poll of the oven: its inputs, its holding registers. */
const requests = 2;

/**
 * Polls of the machine while `trouble` holds, as a share of those of the time before. Where a span
 * begins between two polls makes one more or less.
 */
async function shareDuring(trouble: () => Promise<void>): Promise<number> {
  const from = monotonic();
  await Bun.sleep(2000);
  const struck = monotonic();
  await trouble();
  const now = monotonic();
  await until("the log", () => site.plant.frames().at(-1)!.t >= now);
  const usual = site.plant.answers("oven", 1, from, struck) / (struck - from);
  return (site.plant.answers("oven", 1, struck, now) + requests) / (now - struck) / usual;
}

beforeAll(async () => {
  broker = await aedesBroker();
  await broker.start();
  site = await Site.start(config, { "plant.json": plant });
  for (const [name, bytes] of [["ln", models.logarithm()], ["large", models.large(16)]] as const) {
    writeFileSync(join(site.folder.path, `${name}.onnx`), bytes);
  }
  gateway = await site.run(live());
  await good(gateway, "oven.temperature");
  await until("the model runs", async () => await rows("logarithm") > 0);
}, 120_000);
afterAll(async () => {
  await site?.stop();
  await broker?.stop();
});

test("a model over its cap takes only its own rule down, with the reason", async () => {
  const { body } = await gateway.get("/rules/greedy");
  expect(body.state).not.toBe("running");
  expect(body.reason).toContain("large");
  expect((await gateway.get("/health")).body.troubles.join(" ")).toContain("large");
  expect(await rows("plain")).toBeGreaterThan(0);
});

test("NaN from a model is an error cell that is never written; it comes back", async () => {
  await gateway.arm("oven.valve");
  await site.plant.command("set oven.temperature 50");
  await until("written", () => site.plant.writes("oven").length > 0);
  await site.plant.command("set oven.temperature -5");
  const state = await until("error cell", async () =>
    (await gateway.get("/streams/logarithm/latest")).body.quality.y);
  expect(state).toStartWith("error:");
  const audited = await until("refused", async () =>
    ((await gateway.get("/audit?tag=oven.valve")).body as { code: string }[])
      .find((row) => row.code === "input-bad" || row.code === "not-a-number"));
  expect(audited).toBeDefined();
  const from = monotonic();
  const share = await shareDuring(() => Bun.sleep(1000));
  expect(share).toBeGreaterThanOrEqual(0.95);
  expect(site.plant.writes("oven", from)).toEqual([]);
  await site.plant.command("set oven.temperature 20");
  await until("good again", async () =>
    (await gateway.get("/streams/logarithm/latest")).body.quality.y === undefined);
}, 120_000);

test("broker down and back, and malformed JSON", async () => {
  const share = await shareDuring(async () => {
    await broker.stop();
    await until("seen", async () => ((await gateway.get("/links")).body as any[])
      .find((link) => link.name === "broker").state !== "open");
    await Bun.sleep(1500);
  });
  expect(share).toBeGreaterThanOrEqual(0.95);
  await broker.start();
  await until("open again", async () => ((await gateway.get("/links")).body as any[])
    .find((link) => link.name === "broker").state === "open", 60_000);
  const client = await mqtt.connectAsync({ host: "127.0.0.1", port: broker.port });
  try {
    let out = 0;
    client.on("message", () => { out += 1; });
    await client.subscribeAsync("out");
    await until("rows go out again", () => out > 0);
    const before = await rows("ordered");
    for (const text of ["{", "[1,2", "", "\u0000", `{"amount":"many"}`, "nonsense"]) {
      await client.publishAsync("orders", text);
    }
    await client.publishAsync("orders", `{"amount":"17"}`);
    await client.publishAsync("orders", `{"amount":17}`);
    await until("the sound message came through", async () =>
      await rows("ordered") > before &&
      (await gateway.get("/streams/orders/latest")).body.values.amount === "17");
    const errors = ((await gateway.get("/links")).body as any[])
      .find((link) => link.name === "broker").counters.errors;
    expect(errors).toBeGreaterThan(0);
  } finally {
    await client.endAsync();
  }
}, 120_000);

test("the disk refuses: reading goes on, writing stops, and both come back", async () => {
  await gateway.arm("oven.setpoint");
  expect((await write(11)).outcome).toBe("verified");
  // What a full disk does: no file of this process may grow any more (EFBIG).
  const prlimit = (soft: string): number => Bun.spawnSync(
    ["prlimit", "--pid", String(gateway.program.pid), `--fsize=${soft}:unlimited`]).exitCode;
  expect(prlimit("0")).toBe(0);
  let stopped = 0;
  const share = await shareDuring(async () => {
    await until("audit unavailable", async () =>
      (await write(12)).code === "audit-unavailable");
    stopped = monotonic();
    await Bun.sleep(1000);
  });
  expect(share).toBeGreaterThanOrEqual(0.95);
  expect((await gateway.get("/health")).body.writing.audit).toBe("unavailable");
  // The rule of the valve is armed too, and keeps trying.
  expect(site.plant.writes("oven", stopped)).toEqual([]);
  expect(prlimit("unlimited")).toBe(0);
  await until("audit back", async () =>
    (await gateway.get("/health")).body.writing.audit === "ok");
  await until("written again", async () => (await write(13)).outcome === "verified");
}, 120_000);

const noFaketime = !existsSync(faketime);
if (noFaketime && process.env["CI"] === "true") throw new Error("CI needs libfaketime");
if (noFaketime) console.log("skipped: libfaketime is not installed");
test.skipIf(noFaketime)("the clock steps by an hour, forward and back", async () => {
  await gateway.stop();
  const file = join(site.folder.path, "faketime");
  writeFileSync(file, "+0");
  gateway = await site.run(live(), ["--normal"], { LD_PRELOAD: faketime,
    FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: "1", FAKETIME_DONT_FAKE_MONOTONIC: "1" });
  await good(gateway, "oven.setpoint");
  await gateway.arm("oven.setpoint");
  expect((await write(14)).outcome).toBe("verified");
  let steps = (await gateway.get("/health")).body.clockSteps;
  for (const [offset, value] of [["+3600", 15], ["+0", 16]] as const) {
    const share = await shareDuring(async () => {
      writeFileSync(file, offset);
      await until("the step is noticed", async () =>
        (await gateway.get("/health")).body.clockSteps > steps);
      await Bun.sleep(1000);
    });
    steps = (await gateway.get("/health")).body.clockSteps;
    expect(share).toBeGreaterThanOrEqual(0.95);
    const { body } = await gateway.get("/tags/oven.setpoint");
    expect(body.quality).toBe("good");
    expect(body.age_ms).toBeLessThan(500);
    // The arming runs by the monotonic clock: an hour more or less does not end it.
    expect((await write(value)).outcome).toBe("verified");
  }
}, 120_000);

test.skipIf(!canPreload)("W17: without clock sync a time of day is no deadline", async () => {
  await gateway.stop();
  const unsynced = site.folder.write("unsynced", "");
  gateway = await site.run(live(), ["--normal"],
    { ...preload("clock_sync", site.folder.path), UNSYNCED: unsynced });
  await good(gateway, "oven.setpoint");
  await gateway.arm("oven.setpoint");
  const client = await mqtt.connectAsync({ host: "127.0.0.1", port: broker.port });
  try {
    const replies: { id: string; outcome: string; code: string | null }[] = [];
    client.on("message", (_, bytes) => { replies.push(JSON.parse(bytes.toString())); });
    await client.subscribeAsync("write/reply");
    await until("commands are taken", async () => ((await gateway.get("/links")).body as any[])
      .find((link) => link.name === "broker").state === "open");
    const command = async (value: number) => {
      const id = `m-${crypto.randomUUID()}`;
      await client.publishAsync("write", JSON.stringify(
        { id, tag: "oven.setpoint", value, deadline: Date.now() + 5000 }));
      return until("reply", () => replies.find((reply) => reply.id === id));
    };
    // Whoever reads a row is told that its time may be wrong; `why` says it too.
    const row = async () => (await gateway.get("/tags/oven.setpoint")).body;
    expect((await row()).flags).toEqual(["time-uncertain"]);
    expect((await gateway.cli("why", "oven.setpoint")).output).toContain("time-uncertain");
    const from = monotonic();
    expect(await command(25)).toMatchObject({ outcome: "refused", code: "clock-unsynced" });
    // Ages and arming run by the monotonic clock: a deadline relative to arrival still counts.
    expect((await write(26)).outcome).toBe("verified");
    rmSync(unsynced);
    await until("the clock is trusted again", async () =>
      (await command(27)).outcome === "verified");
    expect((await row()).flags).toBeUndefined();
    await until("the log", () => site.plant.frames().at(-1)!.t > from + 100);
    expect((await site.plant.command("get oven.setpoint"))["value"]).toBe(27);
  } finally {
    await client.endAsync();
  }
}, 120_000);

if (!isRoot && process.env["CI"] === "true") throw new Error("CI needs root for chroot");
if (!isRoot) console.log("skipped: only root may chroot");
test.skipIf(!isRoot)("C: alone in an empty root with only glibc, it runs the loop", async () => {
  await gateway.stop();
  const root = mkdtempSync(join(tmpdir(), "tagwerk-root-"));
  const put = (from: string, to: string): void => {
    mkdirSync(dirname(join(root, to)), { recursive: true });
    copyFileSync(from, join(root, to));
  };
  const file = await binary();
  put(file, "/tagwerk");
  const ldd = Bun.spawnSync(["ldd", file]).stdout.toString();
  for (const [, library] of ldd.matchAll(/(\/\S+) \(0x/g)) put(library!, library!);
  put(live(), "/gateway.json");
  for (const name of ["ln", "large"]) {
    put(join(site.folder.path, `${name}.onnx`), `/${name}.onnx`);
  }
  mkdirSync(join(root, "store"));
  mkdirSync(join(root, "proc"));
  // The kernel's own /proc is no file: the executable finds itself by /proc/self/exe.
  const program = new Program(["unshare", "--mount", "sh", "-c",
    `mount -t proc proc "$0/proc" && exec "$1" "$0" /tagwerk run /gateway.json --store /store`,
    root, peer("chroot")!]);
  const ask = async (path: string, body?: unknown): Promise<any> => (await fetch(
    `http://tagwerk${path}`, { unix: join(root, "store/tagwerk.sock"),
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body),
        headers: { "content-type": "application/json" } }) })).json();
  try {
    await until("the model's rows", async () =>
      (await ask("/streams/logarithm/latest"))?.values.y > 2.99);
    const from = monotonic();
    const { hash } = await ask("/proof", { tag: "oven.valve" });
    await site.plant.command("set oven.temperature 50");
    await ask("/arm", { tag: "oven.valve", for_ms: 60_000, by: "test", proof: hash });
    await until("the rule's write", () => site.plant.writes("oven", from).length > 0);
    await until("verified", async () => (await ask("/audit?tag=oven.valve") as any[])
      .some((row) => row.outcome === "verified"));
  } catch (thrown) {
    throw new Error(`${thrown}\n${program.output}`);
  } finally {
    await program.stop();
    rmSync(root, { recursive: true });
  }
}, 120_000);
