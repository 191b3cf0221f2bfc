/**
 * W22: write attempts of every kind and from all four entry points against the compiled binary,
 * with cut links and restarts in between, to the simulator's machines and to those of
 * `machines.py`; then `judge.py` reads policy, audit and the logs of what the machines received.
 */
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Program, until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";
import { freePort } from "../support/port.ts";
import { Broker, type Reply } from "./broker.ts";
import {
  armed, brief, config, faults, free, inputs, isText, places, plant, policy, rules, target, token,
  topic,
} from "./writes-plant.ts";

type Entry = "rest" | "cli" | "mqtt";
const entries: readonly Entry[] = ["rest", "cli", "mqtt"];
/** One in so many commands of `cli` is a process of its own, the others ask its socket. */
const process_every = 50;
/** A deck of what is tried in a burst; each is dealt equally often. */
const kinds = [...Array<string>(10).fill("verified"), "out-of-range", "expired",
  ...Object.keys(places)];
/** What may become of an attempt whose moment decides; of all others its kind is the code. */
const open: Readonly<Record<string, readonly string[]>> = {
  tight: ["verified", "expired", "no-time", "not-sent", "answer-missing"],
  brief: ["verified", "not-armed", "expired", "no-time", "not-sent", "answer-missing"],
  // The very first one of a day may go.
  "too-soon": ["too-soon", "verified"],
  text: ["verified"],
};
const attempts_per_round = 2500;
/**
 * A tight command that has no answer by its deadline resets the connection for all (W14): what may
 * become of its neighbours, by where the reset met them; and of one in how many attempts at most.
 */
const taken_along = ["link-down", "not-sent", "read-back-missing"];
const taken_along_each = 500;
const disturbed_max = 200;
/** A simulator that was not let run for so long cannot say when a frame came. */
const blind_ms = 250;
/** Wrong answers that are told; one is enough to fail. */
const wrong_max = 10;
/** Characters of the gateway's own words under a run that failed. */
const output_shown = 4000;
/** Each profile in turn: three threads, and one. */
const profiles = ["generic-1gb", "generic-512mb"];

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

/** The machines of `machines.py`, and where they are. */
class Machines {
  readonly program: Program;
  links: Readonly<Record<string, { port: number }>> = {};

  private constructor(python: string, log: string) {
    this.program = new Program([python, "-u", join(import.meta.dir, "machines.py"), log]);
  }

  static async start(python: string, log: string): Promise<Machines> {
    const machines = new Machines(python, log);
    await until("machines up", () => {
      const ports = /^{.*}$/m.exec(machines.program.output)?.[0];
      if (ports === undefined) return false;
      machines.links = Object.fromEntries(Object.entries(JSON.parse(ports) as
        Record<string, number>).map(([link, port]) => [link, { port }]));
      return true;
    }, 60_000);
    return machines;
  }
}

class Soak {
  /** By entry point and what came back; with `disturbed` in front where anything may. */
  readonly counters: Record<string, Record<string, number>> = {};
  readonly wrong: string[] = [];
  readonly #site: Site;
  readonly #broker: Broker;
  readonly #machines: Machines;
  /** Shows in the frame log when the simulator stood still. */
  readonly #pulse: Program;
  readonly #port: number;
  readonly #env: Record<string, string>;
  readonly #random: () => number;
  takenAlong = 0;
  readonly #expected: string;
  #gateway: RunningGateway | undefined;
  #starts = 0;
  #number = 0;
  #deck: string[] = [];
  readonly #used = new Map<string, string>();
  readonly #changed = new Map<string, number>();

  private constructor(
    site: Site, broker: Broker, machines: Machines, port: number, seed: number,
    env: Record<string, string>,
  ) {
    this.#site = site;
    this.#broker = broker;
    this.#machines = machines;
    this.#pulse = new Program(["python3", join(import.meta.dir, "pulse.py"),
      `${site.plant.links["special"]!.port}`]);
    this.#port = port;
    this.#env = env;
    this.#random = generator(seed);
    this.#expected = join(site.folder.path, "expected.jsonl");
    writeFileSync(this.#expected, Object.entries(rules).flatMap(([name, { never, copies }]) => [
      ...(never === undefined ? [] : [{ origin: `rule:${name}`, never }]),
      ...(copies === undefined ? [] : [{ origin: `rule:${name}`, copies }]),
    ]).map((line) => `${JSON.stringify(line)}\n`).join(""));
  }

  static async begin(
    seed: number, python: string, env: Record<string, string>,
  ): Promise<Soak> {
    process.env["TAGWERK_SOAK_TOKEN"] = token;
    const port = await freePort();
    const broker = await Broker.start(topic);
    const site = await Site.start({ ...config, gateway: { id: "soak", profile: profiles[0]! },
      api: { listen: `127.0.0.1:${port}`, token: "env:TAGWERK_SOAK_TOKEN" } },
    { "policy.json": policy, "plant.json": plant });
    const machines = await Machines.start(python, join(site.folder.path, "machines.jsonl"));
    return new Soak(site, broker, machines, port, seed, env);
  }

  /** The record of a run that failed is left where it is. */
  async end(failed: boolean): Promise<void> {
    if (failed) {
      console.log(this.#gateway?.program.output.slice(-output_shown));
      console.log(`kept: ${this.#site.folder.path}`);
    }
    await this.#pulse.stop();
    await this.#machines.program.stop("SIGKILL");
    await this.#site.stop(failed);
    await this.#broker.close();
  }

  async start(): Promise<void> {
    const gateway = { id: "soak", profile: profiles[this.#starts++ % profiles.length]! };
    const live = this.#site.live({ ...this.#machines.links,
      broker: { host: "127.0.0.1", port: this.#broker.port } }, { gateway });
    // It lies there before the gateway connects.
    const kept = this.retained(1);
    this.#gateway = await this.#site.run(live, ["--normal"], this.#env);
    await kept;
    await this.#subscribed();
    await this.#arm();
  }

  async round(n: number, trouble: string): Promise<void> {
    const retained = Math.ceil(n / 80);
    const disturbed = Math.min(disturbed_max, Math.floor(n / 10));
    const rest = n - retained - disturbed;
    await this.#plant(`set ${target("yields")} ${5 + ++this.#number % 10}`);
    await this.#burst(Math.ceil(rest * 0.8));
    // MQTT has to wait while the broker sends its client away.
    await Promise.all([this.retained(retained),
      this.#burst(Math.floor(rest * 0.2), { among: ["rest", "cli"] })]);
    await Promise.all(brief.map((tag) => this.#briefly(tag)));
    await this.#disturb(trouble, disturbed);
    for (const tag of free) await good(this.#gateway!, tag, 30_000);
    // An unknown outcome is settled by the poll after it.
    await Bun.sleep(500);
    await this.#armOne(target("yields"));
  }

  /** Commands that the broker had kept when the gateway subscribed. */
  async retained(n: number): Promise<void> {
    for (let i = 0; i < n; i++) {
      const tag = this.#one(free);
      const command = this.#command(tag, "retained", "mqtt");
      this.#note(tag, "retained", "mqtt", command.id,
        await this.#broker.keep(command.id, command));
    }
  }

  async judge(): Promise<any> {
    await this.#gateway!.stop();
    await this.#pulse.stop();
    await this.#site.plant.stop();
    await this.#machines.program.stop();
    const at = (name: string): string => join(this.#site.folder.path, name);
    const judge = Bun.spawnSync(["python3", join(import.meta.dir, "judge.py"),
      "--config", at("gateway.json"), "--policy", at("policy.json"),
      "--audit", join(this.#site.store, "store.sqlite"),
      "--frames", at("frames.jsonl"), "--frames", at("machines.jsonl"),
      "--expected", this.#expected, "--blind", `${blind_ms}`,
      ...inputs.flatMap((text) => ["--inputs", text])]);
    const report = judge.stdout.toString();
    if (report === "") throw new Error(judge.stderr.toString());
    return JSON.parse(report);
  }

  async #arm(): Promise<void> {
    const { plant } = this.#site;
    for (const link of ["special", "ruled"]) await plant.command(`clear ${link}`);
    for (const tag of armed) await this.#armOne(tag);
    for (const fault of faults) await plant.command(fault);
    await Bun.sleep(700);
  }

  async #armOne(tag: string, for_ms = 3_600_000): Promise<void> {
    // A busy machine may answer a poll too late: the link is opened anew.
    await until(`arm ${tag}`, async () => {
      const proof = await this.#gateway!.post("/proof",
        { tag, ...places["broadcast"]!.includes(tag) ? { value: 1 } : {} });
      if (proof.status !== 200) throw new Error(JSON.stringify(proof.body));
      const { hash } = proof.body;
      const { status, body } =
        await this.#gateway!.post("/arm", { tag, for_ms, by: "soak", proof: hash });
      if (status !== 200) throw new Error(JSON.stringify(body));
      return true;
    }, 30_000);
  }

  #plant(line: string): Promise<unknown> {
    return this.#site.plant.command(line);
  }

  #one<T>(among: readonly T[]): T {
    return among[Math.floor(this.#random() * among.length)]!;
  }

  /** The next kind of a shuffled deck. */
  #deal(): string {
    if (this.#deck.length === 0) {
      this.#deck = kinds.map((kind) => [this.#random(), kind] as const)
        .sort(([a], [b]) => a - b).map(([, kind]) => kind);
    }
    return this.#deck.pop()!;
  }

  /** Attempts on one tag follow each other; different tags run side by side. */
  async #burst(
    n: number, { among = entries, kind = "", strict = true }:
    { among?: readonly Entry[]; kind?: string; strict?: boolean } = {},
  ): Promise<void> {
    const queues = new Map<string, string[]>();
    for (let i = 0; i < n; i++) {
      const next = kind || this.#deal();
      const tag = this.#one(places[next] ?? free);
      queues.set(tag, [...queues.get(tag) ?? [], next]);
    }
    await Promise.all([...queues].map(async ([tag, all]) => {
      for (const next of all) {
        const tried = this.#attempt(tag, next, this.#one(among), strict);
        if (strict) await tried;
        else await tried.catch(() => this.#count("no answer", "disturbed"));
        // An answer within a millisecond was seen, and then the next is too soon by the policy.
        await Bun.sleep(1);
      }
    }));
  }

  async #attempt(tag: string, kind: string, entry: Entry, strict: boolean): Promise<void> {
    if (kind === "external-change") await this.#plant(`set ${tag} ${this.#foreign(tag)}`);
    const first = kind === "duplicate" && !this.#used.has(tag);
    const command = this.#command(tag, kind, entry);
    const reply = await this.#send(entry, command);
    if (strict) this.#note(tag, first ? "verified" : kind, entry, command.id, reply);
    else this.#count(entry, `disturbed ${reply.code ?? reply.outcome}`);
  }

  /** Another value than the one that stands there. */
  #foreign(tag: string): number {
    const value = (this.#changed.get(tag) ?? 0) % 97 + 1;
    this.#changed.set(tag, value);
    return value;
  }

  #command(tag: string, kind: string, entry: Entry): Readonly<Record<string, unknown> & {
    id: string;
  }> {
    let id = `s/${kind}/${++this.#number}`;
    if (kind === "duplicate") {
      id = this.#used.get(tag) ?? id;
      this.#used.set(tag, id);
    }
    const value = isText(tag) ? `${kind === "text" ? "LOT" : "lot"}-${this.#number}`
      : kind === "out-of-range" ? 101 + this.#number % 99 : this.#number % 101;
    const ms = kind === "expired" ? 0 : kind === "tight" ? 1 + Math.floor(this.#random() * 30)
      : 30_000;
    const past = kind === "expired" ? 5000 : 0;
    return { id, tag, value, ...(entry === "mqtt" || (entry === "rest" && this.#random() < 0.5)
      ? { deadline: Date.now() + ms - past } : { within: `${ms}ms` }) };
  }

  async #send(entry: Entry, command: { readonly id: string }): Promise<Reply> {
    if (entry === "mqtt") return await this.#broker.ask(command.id, command);
    if (entry === "cli") return await this.#sendLocal(command as never);
    const response = await fetch(`http://127.0.0.1:${this.#port}/write`, {
      method: "POST", keepalive: false,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(command) });
    return await response.json() as Reply;
  }

  async #sendLocal(
    command: { id: string; tag: string; value: number | string; within: string },
  ): Promise<Reply> {
    if (this.#random() * process_every > 1) {
      return (await this.#gateway!.post("/write", command)).body;
    }
    const { id, tag, value, within } = command;
    const { output } = await this.#gateway!.cli("write", tag, `${value}`, "--id", id,
      "--within", within, "--json", ...typeof value === "string" ? ["--text"] : []);
    this.#count("cli", "in a process of its own");
    return JSON.parse(output) as Reply;
  }

  #note(tag: string, kind: string, entry: Entry, id: string, reply: Reply): void {
    const got = reply.code ?? reply.outcome;
    const usual = open[kind] ?? [kind];
    const any = usual.includes("verified") ? [...usual, ...taken_along] : usual;
    this.#count(entry, got);
    appendFileSync(this.#expected, `${JSON.stringify({ id, any })}\n`);
    if (any.includes(got) && !usual.includes(got)) this.takenAlong += 1;
    if (any.includes(got) || this.wrong.length >= wrong_max) return;
    this.wrong.push(`${id} by ${entry} on ${tag}: ${got}`);
    console.log(this.wrong.at(-1));
  }

  #count(entry: string, what: string): void {
    const counters = this.counters[entry] ??= {};
    counters[what] = (counters[what] ?? 0) + 1;
  }

  /** Armed for a moment, and written to beyond its end. */
  async #briefly(tag: string): Promise<void> {
    await this.#armOne(tag, 200);
    for (let i = 0; i < 12; i++) {
      await this.#attempt(tag, "brief", this.#one(entries), true);
      await Bun.sleep(25);
    }
  }

  /** Legal attempts while something breaks; then everything is made whole. */
  async #disturb(trouble: string, n: number): Promise<void> {
    const attempts = this.#burst(n, { kind: "verified", strict: false });
    await Bun.sleep(20);
    const bring = troubles[trouble];
    if (bring !== undefined) {
      for (const line of bring) await this.#plant(line);
    } else if (trouble === "broker") await this.#broker.drop();
    else if (trouble === "disarm") await this.#disarm();
    else await this.#gateway!.stop(trouble as NodeJS.Signals);
    await attempts;
    if (trouble.startsWith("SIG")) await this.start();
    else if (trouble === "disarm") await this.#clear();
    else await Bun.sleep(1600);
    await this.#subscribed();
  }

  #subscribed(): Promise<unknown> {
    return until("broker", () => {
      const id = `hello/${++this.#number}`;
      return this.#broker.ask(id, { id, tag: "none.x", value: 1, deadline: Date.now() + 9000 });
    }, 30_000);
  }

  /** W4: from everywhere. */
  async #disarm(): Promise<void> {
    const entry = this.#one(entries);
    if (entry === "cli") await this.#gateway!.cli("disarm", "--by", "soak");
    else if (entry === "mqtt") this.#broker.tell({ disarm: "soak" });
    else await this.#gateway!.post("/disarm", { by: "soak" });
    await until("latched", async () => {
      const { latched, armed: still } = (await this.#gateway!.get("/health")).body.writing;
      return latched === true && still.length === 0;
    });
  }

  async #clear(): Promise<void> {
    await this.#burst(60, { kind: "latched" });
    await this.#gateway!.cli("disarm", "--clear", "--by", "soak");
    await this.#arm();
  }
}

/** What the simulator does, by trouble; the others are of the gateway or the broker. */
const troubles: Readonly<Record<string, readonly string[]>> = {
  cut: ["north", "step"].map((link) => `fault ${link} disconnect for 500ms`),
  silence: ["south", "logix"].map((link) => `fault ${link} silence for 1500ms`),
  noise: ["fault bus wrong-crc chance 0.3 for 1s", "fault bus garbage chance 0.1 for 1s",
    ...["step", "logix", "supply"].map((link) => `fault ${link} garbage chance 0.1 for 1s`)],
  mute: ["fault east mute chance 0.2 for 1s", "fault ruled mute chance 0.05 for 1s",
    ...["step", "logix", "supply"].map((link) => `fault ${link} mute chance 0.1 for 1s`)],
  refused: ["fault west exception 4 only writes chance 0.5 for 300ms",
    "fault west exception 2 only writes chance 0.5 for 300ms"],
};
const restarts = ["SIGTERM", "SIGKILL"];
const others = ["disarm", ...Object.keys(troubles), "broker"];

/** Refusals that must have been met, with their code, by commands from outside and by rules. */
const outside = ["broadcast", "text-not-allowed", "out-of-range", "expired", "not-armed",
  "permit-false", "permit-unknown", "duplicate", "retained", "too-soon", "unread",
  "external-change"];
const inside = ["out-of-range", "not-armed", "permit-false", "permit-unknown", "too-soon",
  "input-old", "input-bad", "yielded"];

/** What a run of `count` attempts must have shown and has not. */
function shortfalls(count: number, judge: {
  readonly attempts: Record<string, Record<string, number>>;
  readonly expected: Record<string, number>;
}): string[] {
  const { attempts, expected } = judge;
  const by = (entry: string, code: string): number => attempts[entry]?.[code] ?? 0;
  const sum = (numbers: number[]): number => numbers.reduce((n, m) => n + m, 0);
  const tables = Object.values(attempts);
  const found: [what: string, n: number, least: number][] = [
    ["attempts", sum(tables.flatMap((codes) => Object.values(codes))), count],
    ["verified", sum(tables.map((codes) => codes["verified"] ?? 0)), count / 5],
    ...[...entries, "rule"].map((entry): [string, number, number] =>
      [`verified by ${entry}`, by(entry, "verified"), count / 100]),
    ...outside.map((code): [string, number, number] =>
      [`${code} from outside`, expected[code] ?? 0, count / 100]),
    ...inside.map((code): [string, number, number] =>
      [`${code} of rules`, by("rule", code), count / 100]),
  ];
  return found.filter(([, n, least]) => n < Math.floor(least))
    .map(([what, n, least]) => `${what}: ${n} of ${Math.floor(least)}`);
}

/** Counters and a verdict; `ok` only without any finding, wrong answer or shortfall. */
export async function soakWrites(
  count: number, seed: number, python: string, env: Record<string, string>,
) {
  const soak = await Soak.begin(seed, python, env);
  const began = performance.now();
  let ok = false;
  try {
    await soak.start();
    const rounds = Math.max(4, Math.ceil(count / attempts_per_round));
    for (let round = 0; round < rounds; round++) {
      const trouble = round % 2 === 1 ? restarts[(round >> 1) % restarts.length]!
        : others[(seed + (round >> 1)) % others.length]!;
      await soak.round(Math.ceil(count / rounds), trouble);
      console.log(`round ${round + 1} of ${rounds} (${trouble}): ` +
        `${((performance.now() - began) / 1000).toFixed(1)} s`);
    }
    const judge = await soak.judge();
    const short = shortfalls(count, judge);
    const { takenAlong } = soak;
    const most = Math.max(10, count / taken_along_each);
    if (takenAlong > most) soak.wrong.push(`${takenAlong} taken along by resets, over ${most}`);
    ok = Object.keys(judge.findings).length + soak.wrong.length + short.length === 0;
    return { ok, seed, count, takenAlong, seconds: (performance.now() - began) / 1000,
      counters: soak.counters, wrong: soak.wrong, short, judge };
  } finally {
    await soak.end(!ok);
  }
}
