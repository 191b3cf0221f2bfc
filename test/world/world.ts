import { mkdtempSync, rmSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRandom, type Random } from "../../src/base.ts";
import type { Runtime } from "../../src/runtime.ts";
import { balance, type Balance } from "./balance.ts";
import { Broker, type Delivered } from "./broker.ts";
import { Bus, type SharedLine } from "./bus.ts";
import { Disk } from "./disk.ts";
import { Equipment } from "./equipment.ts";
import {
  judgeWrites, placesOf, travel_ms, writeOf, type Arming, type WriteFrame,
} from "./judge.ts";
import type { ModelTrouble } from "./model.ts";
import { Network } from "./network.ts";
import { Operator } from "./operator.ts";
import { OverheardBus } from "./overheard.ts";
import { Panel } from "./panel.ts";
import { GatewayProcess, type Machine } from "./process.ts";
import { behaviours, broadcast, graphOf, intervals, targets } from "./site.ts";
import { Timeline } from "./timeline.ts";
import { Trace } from "./trace.ts";
import { plan, troubleNames } from "./troubles.ts";

/** Trouble comes in waves; after each it is quiet long enough for everything to come back (ms). */
const wave = { first: 10_000, trouble: 86_000, quiet: 32_000, judged: 8000 } as const;
const waves = 5;
export const simulated_ms = wave.first + waves * (wave.trouble + wave.quiet);
/** Of each kind in each wave. */
const each = 2;
/** A row that nobody waits for is at the broker after this time, its poll included (ms). */
const age_ms_max = 150;
const character_ms = 11_000 / 19_200;
/** 2026-01-01, ms since the epoch. */
const epoch = 1_767_225_600_000;

export interface Verdict {
  readonly seed: number;
  readonly threads: 1 | 3;
  readonly hash: string;
  readonly wrong: readonly string[];
  readonly writes: number;
  readonly verified: number;
  readonly troubles: Readonly<Record<string, number>>;
  /** Frames that a fault of a link hit, by kind. */
  readonly hits: Readonly<Record<string, number>>;
  readonly answers: Readonly<Record<string, number>>;
  readonly rows: number;
  readonly lost: number;
  readonly happened: number;
}

/** One simulated plant with its gateway, people, programs and everything that goes wrong. */
export class World implements Machine {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly graph;
  readonly directory: string;
  readonly networks: Map<string, Network>;
  readonly buses: ReadonlyMap<string, SharedLine>;
  readonly overheard: OverheardBus;
  readonly equipment: Equipment;
  readonly broker: Broker;
  readonly panel: Panel;
  readonly disk = new Disk();
  readonly model: ModelTrouble = { kind: "none", left: 0, hits: 0 };
  readonly operator: Operator;
  readonly trace: Trace;
  readonly troubles = new Map<string, number>();
  /** A `disarm` was answered at this time and not lifted since (monotonic ms). */
  disarmedAt = Infinity;
  /** No trouble is made, by nobody. */
  quiet = true;
  synced = true;
  clockOffset = 0;
  process!: GatewayProcess;
  readonly threads: 1 | 3;
  readonly #seed: number;
  readonly #places: Map<string, string>;
  readonly #frames: WriteFrame[] = [];
  readonly #wrong: string[] = [];
  readonly #calm: [from: number, to: number][] = [];
  readonly #armings = new Map<number, Arming>();
  readonly #hits = new Map<string, number>();
  readonly #armed = new Map<string, number>();
  /** Rows that the broker got of this process, by rule. */
  readonly #delivered = new Map<string, number>();
  #sequences = new Map<string, number>();
  #ages: { readonly rule: string; readonly age: number }[] = [];
  #calmUntil = -Infinity;
  #broadcastAt = -Infinity;
  #stopping = false;
  #rows = 0;
  /** Rows of the rules that outlast a restart. */
  readonly #counted = new Map<string, number>();
  #lost = 0;
  #over = false;

  constructor(seed: number, print = false) {
    this.#seed = seed;
    this.random = createRandom(seed);
    this.threads = seed % 2 === 0 ? 3 : 1;
    this.timeline = new Timeline(5000);
    this.trace = new Trace(print);
    this.graph = graphOf(this.threads);
    this.#places = placesOf(this.graph.gateway);
    this.directory = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "world-"));
    this.equipment = new Equipment(this.graph.gateway, behaviours, seed, this.timeline,
      (link) => this.networks.get(link) ?? bus, (frame) => this.#frame(frame));
    const { timeline, random } = this;
    const wrong = (text: string): void => this.#note(text);
    this.networks = new Map(["plc", "aux"].map((name, i) => [name,
      new Network(`10.0.0.${i + 1}:502`, this.equipment.device(name), timeline, random)]));
    const bus = new Bus(this.equipment.device("bus"), character_ms, timeline, random);
    this.overheard = new OverheardBus(character_ms, timeline, random, wrong);
    this.buses = new Map<string, SharedLine>([["bus", bus], ["heard", this.overheard]]);
    this.panel = new Panel(timeline, random, wrong);
    this.equipment.device("bus").open(1);
    this.broker = new Broker(timeline, random);
    this.broker.delivered = (row) => this.#deliver(row);
    this.operator = new Operator(this, random);
    timeline.noticed.push(() => this.process.threads.forEach((thread) => thread.notice()));
  }

  wall(): number {
    return epoch + this.timeline.now + this.clockOffset;
  }

  /** Runs the whole story; nothing of it is left on disk. */
  run(): Verdict {
    const { timeline } = this;
    try {
      this.#start();
      this.operator.start(simulated_ms + 4000);
      this.overheard.start(simulated_ms + 4000);
      this.panel.start(simulated_ms + 4000);
      for (let i = 0; i < waves; i++) {
        const begin = 5000 + wave.first + i * (wave.trouble + wave.quiet);
        plan(this, this.random, each, begin, begin + wave.trouble);
        const quiet = begin + wave.trouble + wave.quiet;
        timeline.at(begin, () => (this.quiet = false));
        timeline.at(begin + wave.trouble, () => {
          this.quiet = true;
          // A station left alone is asked so seldom that trouble counted in frames outlives it.
          this.equipment.command("clear");
        });
        timeline.at(quiet - wave.judged, () => this.#beginQuiet(quiet - 1000));
      }
      timeline.run(5000 + simulated_ms);
      this.#over = true;
      this.stopProcess();
      timeline.run(timeline.now + 10_000);
      if (this.process.alive) this.#note("the gateway did not stop");
      const judged = judgeWrites(join(this.directory, "store.sqlite"), this.#frames,
        this.#armings, this.#calm, (text) => this.#note(text));
      return {
        seed: this.#seed, threads: this.threads, hash: this.trace.digest(), wrong: this.#wrong,
        writes: this.#frames.length, verified: judged.verified,
        troubles: Object.fromEntries(troubleNames.map((name) =>
          [name, this.troubles.get(name) ?? 0])),
        hits: Object.fromEntries(this.#hits),
        answers: Object.fromEntries(this.operator.answers), rows: this.#rows, lost: this.#lost,
        happened: timeline.happened,
      };
    } finally {
      if (this.process.alive) this.disk.processEnded();
      rmSync(this.directory, { recursive: true, force: true });
    }
  }

  #start(): void {
    this.#stopping = false;
    this.#delivered.clear();
    this.#sequences.clear();
    this.broker.accepted = 0;
    this.panel.begin();
    this.process = new GatewayProcess(this);
  }

  /** SIGTERM */
  stopProcess(): boolean {
    const { process } = this;
    if (this.#stopping || !process.alive || process.runtime === null) return false;
    this.#stopping = true;
    process.main.post(0.1, () => void process.runtime!.stop().then(() => {
      process.store.close();
      process.end(0);
    }));
    return true;
  }

  /** init starts it again. */
  ended(process: GatewayProcess, code: number): void {
    this.trace.add(this.timeline.now, "ended", String(code));
    for (const [tag, number] of this.#armed) {
      this.#armings.get(number)!.until = this.timeline.now;
      this.#armed.delete(tag);
    }
    if (this.#over) return;
    this.timeline.after(300 + this.random.below(1500), () => {
      if (this.process === process) this.#start();
    });
  }

  log(thread: string, line: string): void {
    const text = line.slice(line.indexOf("Z ") + 2);
    this.trace.add(this.timeline.now, `log ${thread}`, text);
    const armed = /gate: (\S+) is armed .*number=(\d+)/.exec(text);
    const ended = /gate: (\S+) is no longer armed/.exec(text);
    if (armed !== null) {
      this.#armed.set(armed[1]!, Number(armed[2]));
      this.#armings.set(Number(armed[2]),
        { tag: armed[1]!, from: this.timeline.now, until: Infinity });
    } else if (ended !== null) {
      const number = this.#armed.get(ended[1]!);
      if (number === undefined) return this.#note(`${ended[1]} was not armed`);
      this.#armings.get(number)!.until = this.timeline.now;
      this.#armed.delete(ended[1]!);
    }
  }

  #frame(frame: Parameters<Trace["frame"]>[0]): void {
    this.trace.frame(frame);
    if (frame.link === "bus") this.#takeTurn(frame);
    if (frame.fault !== null) this.#hits.set(frame.fault, (this.#hits.get(frame.fault) ?? 0) + 1);
    const { link, connection, bytes, t } = frame;
    const left = this.networks.get(link)?.leftAt(connection, bytes) ?? t;
    const write = writeOf(frame, this.#places, left);
    if (write === null) return;
    this.#frames.push(write);
    const tenths = Number.parseInt(write.words, 16);
    if (write.tag === "press.wished" && tenths !== 300 && !this.panel.wished(tenths)) {
      this.#note(`written what nobody wished: ${JSON.stringify(write)}`);
    }
    if (write.at > this.disarmedAt + travel_ms) {
      this.#note(`a frame after disarm: ${JSON.stringify(write)}`);
    }
  }

  /** After a broadcast the bus is silent. */
  #takeTurn({ dir, valid, bytes, t }: Parameters<Trace["frame"]>[0]): void {
    if (dir !== "in" || !valid) return;
    const since = t - this.#broadcastAt;
    if (since < broadcast.turnaround) this.#note(`sent ${since} ms after a broadcast: ${bytes}`);
    if (bytes.startsWith("00")) this.#broadcastAt = t;
  }

  #deliver({ rule, sequence, epoch, number, age, values }: Delivered): void {
    this.trace.add(this.timeline.now, "row", `${rule} ${sequence} ${JSON.stringify(values)}`);
    this.#delivered.set(rule, (this.#delivered.get(rule) ?? 0) + 1);
    this.#rows += 1;
    if (rule === "steps" || rule === "tally") return this.#count(rule, epoch, number, values);
    if (rule === "asked") this.panel.look(values["number"], values["wish"]);
    else if (rule === "overheard") this.#hear(values, age);
    this.#ages.push({ rule, age });
    const last = this.#sequences.get(rule);
    if (last !== undefined && ((sequence - last) | 0) <= 0) {
      this.#note(`${rule}: row ${sequence} after ${last}`);
    }
    this.#sequences.set(rule, sequence);
  }

  #hear({ device, number, proof }: Delivered["values"], age: number): void {
    const { now } = this.timeline;
    this.overheard.look(Number(String(device).slice("meter-".length)), number, proof, now - age);
    if (this.#calmUntil >= now && (number === null || proof === null)) {
      this.#note(`${String(device)} was not heard: ${String(number)} ${String(proof)}`);
    }
  }

  /** By the row's name each number has come once, in order, and state says so; over restarts. */
  #count(
    rule: "steps" | "tally", epoch: number, number: number, values: Delivered["values"],
  ): void {
    const n = number + 1;
    const right = rule === "steps" ? { n: String(n), before: n === 1 ? null : String(n - 1) }
      : { seen: n, total: String(n * (n + 1) / 2) };
    const { $oldest: _, ...shown } = values;
    const [is, should] = [JSON.stringify(shown), JSON.stringify(right)];
    this.#counted.set(rule, Math.max(n, this.#counted.get(rule) ?? 0));
    if (is !== should) this.#note(`${rule} ${epoch}/${number}: ${is}, not ${should}`);
  }

  /** Everything must have come back: from here on it is as if nothing had ever been wrong. */
  #beginQuiet(until: number): void {
    const { process, timeline } = this;
    const { runtime } = process;
    if (runtime === null || this.#stopping) return this.#note("no gateway when it is quiet");
    this.#ages = [];
    this.#calm.push([timeline.now, until]);
    this.#calmUntil = until;
    const { answered, reads, bad } = this.panel;
    const frames = this.#frames.length;
    const from = timeline.now;
    void runtime.streams().then((before) => timeline.at(until, () => {
      if (this.process !== process) return this.#note("the gateway ended while it was quiet");
      process.main.post(0, () => {
        void runtime.health().then((health) => {
          if (health.status !== "ok") this.#note(`not ok: ${health.troubles.join("; ")}`);
          this.#lost += Object.values(health.lost).reduce((sum, n) => sum + n, 0);
        });
        void runtime.streams().then((after) => {
          const made = (name: string): number => {
            const rows = (list: typeof after): number => list.find((s) => s.name === name)!.rows;
            return rows(after) - rows(before);
          };
          for (const [name, interval] of Object.entries(intervals)) {
            const least = Math.floor((until - from) / interval) - 2;
            if (made(name) < least) this.#note(`${name}: ${made(name)} rows of ${least}`);
          }
          const asked = this.panel.answered - answered;
          // One may be on its way at the begin or at the end.
          if (Math.abs(made("wishes") - asked) > 1) {
            this.#note(`${asked} writes of clients made ${made("wishes")} rows`);
          }
        });
      });
      for (const rule of ["steps", "tally"]) {
        const { numbers } = this.broker;
        const missing = numbers - (this.#counted.get(rule) ?? 0);
        // The last second's are still on their way.
        if (missing > 5) this.#note(`${rule}: ${missing} numbers of ${numbers} missing`);
      }
      const [got, gotBad] = [this.panel.reads - reads, this.panel.bad - bad];
      if (got < 4 || gotBad > 0) this.#note(`the panel got ${got} answers, ${gotBad} bad`);
      this.#expectArmed(runtime, 2);
      for (const [tag, origin] of Object.entries(targets)) {
        const wrote = this.#frames.slice(frames).some((frame) => frame.tag === tag);
        if (origin === null || wrote) continue;
        void runtime.why(tag).then(({ gate, reason }) =>
          this.#note(`nothing was written to ${tag} (${reason}): ${JSON.stringify(gate)}`));
      }
      for (const { rule, age } of this.#ages) {
        if (rule !== "mean" && age > age_ms_max) this.#note(`${rule}: a row came ${age} ms late`);
      }
      this.#weigh(process, 40, null);
    }));
  }

  /** Somebody may be arming a tag anew at the very moment of one look. */
  #expectArmed(runtime: Runtime, looks: number): void {
    void runtime.health().then(({ writing }) => {
      const missing = Object.keys(targets).filter((tag) => !writing.armed.includes(tag));
      if (missing.length === 0) return;
      if (looks === 1) this.#note(`not armed: ${missing.join(", ")}`);
      else this.timeline.after(100, () => this.#expectArmed(runtime, looks - 1));
    });
  }

  /** Rows in = rows out + counted losses, at some moment of a second in which nothing moves. */
  #weigh(process: GatewayProcess, tries: number, last: readonly Balance[] | null): void {
    if (tries === 0) {
      return this.#note(`rows in are not rows out + lost: ${JSON.stringify(last)}`);
    }
    process.main.post(0, () => void balance(process, process.runtime!, this.#delivered)
      .then((found) => {
        const off = found?.filter(({ rowsIn, rowsOut, lost }) => rowsIn !== rowsOut + lost);
        if (off?.length === 0) return;
        this.timeline.after(17, () => this.#weigh(process, tries - 1, off ?? last));
      }));
  }

  #note(text: string): void {
    const at = ((this.timeline.now - 5000) / 1000).toFixed(3);
    this.trace.add(this.timeline.now, "wrong", text);
    if (this.#wrong.length < 20) this.#wrong.push(`${at} s: ${text}`);
  }
}
