/**
 * W22: write attempts of every kind and from all four entry points against the compiled binary,
 * with cut links and restarts in between; then `judge.py` reads policy, audit and the simulator's
 * frame log. Prints counters and a verdict; exit code 1 on any finding.
 */
import { appendFileSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { Aedes } from "aedes";
import { until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

const token = "soak-writes";
const topic = "soak/commands";
const base = { allow: ["cli", "rest", "mqtt"], maxMode: "armed", min: 0, max: 100,
  minInterval: "1ms", writesPerDay: 1_000_000 };
const numbers = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const setpoints = (n: number): object => Object.fromEntries(numbers(n).map((i) =>
  [`sp${i}`, { at: `holding ${4 * i}`, access: "read-write",
    ...(i % 2 === 0 ? { type: "int16", scale: 0.1 } : { type: "float32", wordOrder: "CDAB" }) }]));
const groups = { fast: "200ms" };
const links = ["north", "south", "east", "west"];
const free = [
  ...links.flatMap((link) => numbers(9).map((i) => `${link}.sp${i}`)),
  ...[1, 2].flatMap((n) => numbers(4).map((i) => `drive${n}.sp${i}`)),
];
const rules = { legal: "temperature", range: "temperature + 500", shadow: "temperature" };

const policy = {
  ...Object.fromEntries(free.map((tag) => [tag, base])),
  "special.sp0": base,
  "special.sp1": { ...base, permit: ["special.no"], maxAge: "5s" },
  "special.sp2": { ...base, permit: ["broken.ready"], maxAge: "5s" },
  "special.sp3": { ...base, minInterval: "1d" },
  ...Object.fromEntries(numbers(4).map((i) => [`seldom.sp${i}`, base])),
  "broken.sp0": { ...base, maxStep: 50 },
  ...Object.fromEntries(Object.keys(rules).map((name, i) => [`special.sp${5 + i}`, {
    ...base, allow: [`rule:${name}`], minInterval: "20ms", inputMaxAge: "2s",
    onLoss: { after: "30s", value: "hold" } }])),
};

const config = {
  gateway: { id: "soak", profile: "generic-1gb" },
  links: {
    ...Object.fromEntries([...links, "special"].map((name, i) =>
      [name, { type: "modbus-tcp", host: "192.0.2.1", port: 502 + i, timeout: "1s" }])),
    bus: { type: "modbus-rtu", port: "/dev/bus", rs485: "adapter", baud: 115200, timeout: "1s" },
    broker: { type: "mqtt", host: "192.0.2.2" },
  },
  commands: { link: "broker", topic },
  devices: {
    ...Object.fromEntries(links.map((link) => [link, { link, groups, tags: setpoints(9) }])),
    ...Object.fromEntries([1, 2].map((station) =>
      [`drive${station}`, { link: "bus", station, groups, tags: setpoints(4) }])),
    special: { link: "special", station: 1, groups: { fast: "50ms" }, tags: {
      ...setpoints(8), no: { at: "discrete 0", type: "bool" },
      temperature: { at: "input 0", type: "float32" } } },
    // Polled so seldom that a change from outside is met by the command's own read.
    seldom: { link: "special", station: 2, groups: { slow: "30m" }, tags: setpoints(4) },
    broken: { link: "special", station: 3, groups, tags: {
      ...setpoints(1), ready: { at: "discrete 0", type: "bool" } } },
  },
  rules: Object.fromEntries(Object.entries(rules).map(([name, value], i) => [name, {
    sql: `SELECT ${value} AS target FROM special.fast`,
    to: [{ write: `special.sp${5 + i}`, from: "target" }] }])),
  policy: "file:policy.json",
  store: { directory: "store", maxMB: 2000 },
};

/** Attempts on these always meet the code; the others are for any free tag. */
const places: Record<string, readonly string[]> = {
  "not-armed": ["special.sp0"], "permit-false": ["special.sp1"], "permit-unknown": ["special.sp2"],
  "too-soon": ["special.sp3"], "external-change": numbers(4).map((i) => `seldom.sp${i}`),
  unread: ["broken.sp0"],
};
const kinds = ["verified", "verified", "verified", "verified", "verified", "out-of-range",
  "expired", "duplicate", "retained", ...Object.keys(places)];

type Entry = "rest" | "cli" | "mqtt";
interface Reply { outcome: string; code: string | null }

/** mulberry32 */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The broker; what is marked so is handed over with the retain bit, as to a new subscriber. */
async function startBroker() {
  const aedes = await Aedes.createBroker();
  const server = createServer(aedes.handle);
  const waiting = new Map<string, (reply: Reply) => void>();
  aedes.authorizeForward = (_, packet) => {
    if (packet.topic === topic && packet.payload.includes("/retained/")) packet.retain = true;
    return packet;
  };
  aedes.on("publish", (packet) => {
    if (packet.topic !== `${topic}/reply`) return;
    const reply = JSON.parse(packet.payload.toString());
    waiting.get(reply.id)?.(reply);
    waiting.delete(reply.id);
  });
  await new Promise<void>((done) => { server.listen(0, "127.0.0.1", done); });
  return {
    port: (server.address() as AddressInfo).port,
    ask: (id: string, body: object) => new Promise<Reply>((done, failed) => {
      const timer = setTimeout(() => failed(new Error(`no reply to ${id}`)), 20_000);
      waiting.set(id, (reply) => { clearTimeout(timer); done(reply); });
      aedes.publish({ cmd: "publish", qos: 0, dup: false, retain: false, topic,
        payload: JSON.stringify(body) }, () => {});
    }),
    async close() {
      await new Promise<void>((done) => aedes.close(done));
      server.close();
    },
  };
}

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((done) => server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo;
    server.close(() => done(port));
  }));
}

export async function soakWrites(count: number, seed: number, env: Record<string, string>) {
  process.env["TAGWERK_SOAK_TOKEN"] = token;
  const random = generator(seed);
  const broker = await startBroker();
  const port = await freePort();
  const site = await Site.start({ ...config,
    api: { listen: `127.0.0.1:${port}`, token: "env:TAGWERK_SOAK_TOKEN" } },
  { "policy.json": policy, "plant.json": { "special.no": { kind: "constant", value: false },
    "special.temperature": {
      kind: "walk", start: 50, min: 20, max: 80, step: 2, every: "50ms" } } });
  const live = site.live({ broker: { host: "127.0.0.1", port: broker.port } });
  const expected = join(site.folder.path, "expected.jsonl");
  writeFileSync(expected, "");
  const counters: Record<string, number> = {};
  const wrong: string[] = [];
  const used = new Map<string, string>();
  let gateway: RunningGateway;
  let number = 0;
  const mqttWorks = env["LD_PRELOAD"] !== undefined;

  const start = async (): Promise<void> => {
    await site.plant.command("clear special");
    gateway = await site.run(live, ["--normal"], env);
    for (const tag of [...free, "special.sp0", "broken.sp0"]) await good(gateway, tag, 30_000);
    if (mqttWorks) await until("broker", async () =>
      (await broker.ask("hello", { id: "hello", tag: "none.x", value: 1,
        deadline: Date.now() + 9000 })).code !== null, 30_000);
    const armed = [...free, "special.sp1", "special.sp2", "special.sp3", "special.sp5",
      "broken.sp0", ...places["external-change"]!];
    for (const tag of armed) {
      // A busy machine may answer a poll too late: the link is opened anew.
      await until(`arm ${tag}`, async () => {
        const proof = await gateway.post("/proof", { tag });
        if (proof.status !== 200) throw new Error(JSON.stringify(proof.body));
        const { hash } = proof.body;
        const { status, body } = await gateway.post("/arm",
          { tag, for_ms: 3_600_000, by: "soak", proof: hash });
        if (status !== 200) throw new Error(JSON.stringify(body));
        return true;
      }, 20_000);
    }
    // Armed while it could be read; from here on it cannot.
    await site.plant.command("fault special/3 exception 2 only reads");
    await Bun.sleep(700);
  };
  const send = async (entry: Entry, id: string, body: object): Promise<Reply> => {
    if (entry === "cli") return (await gateway.post("/write", body)).body;
    if (entry === "mqtt") return await broker.ask(id, body);
    const response = await fetch(`http://127.0.0.1:${port}/write`, { method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body) });
    return await response.json() as Reply;
  };
  const attempt = async (tag: string, kind: string, strict: boolean): Promise<void> => {
    const entries: Entry[] = mqttWorks ? ["rest", "cli", "mqtt"] : ["rest", "cli"];
    const entry: Entry = kind === "retained" ? "mqtt"
      : entries[Math.floor(random() * entries.length)]!;
    if (kind === "external-change") await site.plant.command(`set ${tag} ${++number % 97 + 1}`);
    const fresh = `s/${kind}/${++number}`;
    const id = kind === "duplicate" ? used.get(tag) ?? fresh : fresh;
    const value = kind === "out-of-range" ? 101 + number % 99 : number % 101;
    const late = kind === "expired" ? -5000 : 30_000;
    const byTime = entry === "mqtt" || (mqttWorks && kind === "expired");
    const body = { id, tag, value, ...(byTime ? { deadline: Date.now() + late }
      : { within: kind === "expired" ? "0ms" : "30s" }) };
    // The first command that a duplicate repeats is judged, but nothing is expected of its row.
    const first = kind === "duplicate" && !used.has(tag);
    if (first) used.set(tag, id);
    const reply = await send(entry, id, body);
    const got = reply.code ?? reply.outcome;
    counters[`${entry} ${strict ? "" : "disturbed "}${got}`] =
      (counters[`${entry} ${strict ? "" : "disturbed "}${got}`] ?? 0) + 1;
    if (!strict || first || (kind === "too-soon" && got === "verified")) return;
    const wanted = kind === "verified"
      ? { id, outcome: kind, code: null } : { id, outcome: "refused", code: kind };
    appendFileSync(expected, `${JSON.stringify(wanted)}\n`);
    if (got !== kind && wrong.length < 10) wrong.push(`${id} by ${entry} on ${tag}: ${got}`);
  };
  /** Attempts on one tag follow each other; different tags run side by side. */
  const burst = async (n: number, strict: boolean): Promise<void> => {
    const queues = new Map<string, string[]>();
    for (let i = 0; i < n; i++) {
      const kind = strict ? kinds[Math.floor(random() * kinds.length)]! : "verified";
      const among = places[kind] ?? free;
      const tag = among[Math.floor(random() * among.length)]!;
      queues.set(tag, [...queues.get(tag) ?? [], kind]);
    }
    await Promise.all([...queues].map(async ([tag, all]) => {
      for (const kind of all) {
        if (strict) await attempt(tag, kind, true);
        else await attempt(tag, kind, false).catch(() => {
          counters["no answer"] = (counters["no answer"] ?? 0) + 1;
        });
      }
    }));
  };

  try {
    await start();
    const rounds = Math.max(4, Math.ceil(count / 5000));
    for (let round = 0; round < rounds; round++) {
      const disturbed = Math.min(200, Math.floor(count / rounds / 10));
      await burst(Math.ceil(count / rounds) - disturbed, true);
      const trouble = burst(disturbed, false);
      await Bun.sleep(20);
      if (round % 4 === 0) await site.plant.command("fault north disconnect for 500ms");
      if (round % 4 === 1) await site.plant.command("fault south silence for 1500ms");
      if (round % 4 >= 2) await gateway!.stop(round % 4 === 2 ? "SIGTERM" : "SIGKILL");
      await trouble;
      if (round % 4 >= 2) await start();
      else await Bun.sleep(1600);
      for (const tag of free) await good(gateway!, tag, 30_000);
      // An unknown outcome is settled by the poll after it.
      await Bun.sleep(500);
    }
    await gateway!.stop();
    await site.plant.stop();
    const judge = Bun.spawnSync(["python3", join(import.meta.dir, "judge.py"), "--policy",
      join(site.folder.path, "policy.json"), "--audit", join(site.store, "store.sqlite"),
      "--frames", join(site.folder.path, "frames.jsonl"), "--expected", expected,
      "--inputs", "legal=special.temperature"]);
    const report = judge.stdout.toString();
    return { ok: judge.exitCode === 0 && wrong.length === 0, seed, count, counters, wrong,
      mqtt: mqttWorks, judge: report === "" ? judge.stderr.toString() : JSON.parse(report) };
  } finally {
    await site.stop();
    await broker.close();
  }
}
