import type { Database } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Fault, reason } from "../base.ts";
import { Audit, abandonIn, type Abandoned } from "./audit.ts";
import { latchFile, type LatchFile } from "./latch.ts";
import { audit_full, Ledger, openDatabase, type OpenDatabase } from "./ledger.ts";
import { lockDirectory, type Lock } from "./lock.ts";
import { prepare } from "./schema.ts";
import { StateStore } from "./state.ts";

export interface StoreOptions {
  readonly maxMB: number;
  /** MB of journal and checkpoints. */
  readonly stateMB: number;
  /** Monotonic ms. */
  now(): number;
  /** Engine time, ms since the epoch. */
  time(): number;
  readonly lock: Lock;
  /** The machine's own disk, if nothing else is handed in. */
  readonly database?: OpenDatabase;
}

/** What a person saw and confirmed of a tag (W2). */
export interface Proof {
  readonly tag: string;
  readonly hash: string;
  readonly peer: string;
  /** Raw words in hex as they were shown. */
  readonly words: string;
  readonly who: string;
  readonly time: number;
}

/** Where a tag lies and how its words are read: for whoever judges the audit (W22). */
export interface Place {
  readonly tag: string;
  readonly station: number;
  readonly at: string;
  readonly type: string;
  readonly wordOrder: string;
  readonly scale: number;
  readonly offset: number;
}

/** Engine times; `number` from `nextArming`. */
export interface ArmingRow extends Place {
  readonly number: number;
  readonly who: string;
  readonly hash: string;
  readonly peer: string;
  readonly policyHash: string;
  readonly configHash: string;
  readonly begins: number;
  readonly until: number;
}

/** Texts and hashes of a configuration and policy that passed `check` together. */
export interface Pair {
  readonly config: string;
  readonly policy: string;
  readonly configHash: string;
  readonly policyHash: string;
}

/**
 * The store of one machine, on the `main` role (SQLite blocks its thread). Opening takes the
 * directory's lock (W23), raises the epoch, and makes intents without outcome unknown (W15). A disk
 * that refuses is `audit.unavailable`, also at start; `step` brings it back by itself.
 */
export class Store {
  readonly audit: Audit;
  readonly latch: LatchFile;
  /** In a file of its own, so that it cannot take the audit's room. */
  readonly state: StateStore;
  readonly directory: string;
  /** Raised at each start, durable; 0 until the disk took it. */
  epoch = 0;
  /** Intents that the last run left without outcome. */
  abandoned: readonly Abandoned[] = [];
  readonly #ledger: Ledger;
  readonly #options: StoreOptions;
  readonly #release: () => void;

  constructor(directory: string, options: StoreOptions) {
    this.directory = directory;
    this.#options = options;
    const open = options.database ?? openDatabase;
    this.#ledger = new Ledger({
      path: join(directory, "store.sqlite"), maxMB: options.maxMB, open, prepare, full: audit_full,
    });
    this.state = new StateStore(directory, options.stateMB, open, options.now);
    this.#release = lockDirectory(directory, options.lock);
    this.audit = new Audit(this.#ledger, () => this.epoch, options.now);
    this.latch = latchFile(directory);
    this.step();
  }

  /** Call about once a second: flushes, and comes back after trouble of the disk. */
  step(): void {
    this.#ledger.step(this.#options.now(), (db) => this.#opened(db));
    this.audit.flush(false);
    this.state.step();
  }

  /** Used part of `store.maxMB`, 0..1: worth a warning from 0.8. */
  get fill(): number {
    return this.#ledger.fill;
  }

  #opened(db: Database): void {
    const time = this.#options.time();
    const next = (meta(db, "epoch") ?? 0) + 1;
    setMeta(db, "epoch", next);
    db.run("UPDATE armings SET ended = ?, why = 'restart' WHERE ended IS NULL", [time]);
    this.abandoned = abandonIn(db, "The gateway was restarted before an outcome was known.",
      time, null);
    this.epoch = next;
  }

  /** Records a start (W5) and gives how many there were since the last healthy run. */
  recordStart(): number {
    const time = this.#options.time();
    this.#ledger.write(this.#options.now(), (db) => {
      db.run("INSERT INTO starts VALUES (?)", [time]);
    });
    const found = this.#ledger.read((db) =>
      db.query("SELECT count(*) AS n FROM starts").get() as { n: number });
    return found?.n ?? 0;
  }

  /** An orderly stop, `health_minutes` of health, or `run --normal`. */
  clearStarts(): void {
    this.#ledger.write(this.#options.now(), (db) => void db.run("DELETE FROM starts"));
  }

  get lastGood(): Pair | null {
    return this.#ledger.read((db) => db.query(
      `SELECT config, policy, config_hash AS configHash, policy_hash AS policyHash
       FROM good`).get() as Pair | null);
  }

  saveGood(pair: Pair): boolean {
    const { config, policy, configHash, policyHash } = pair;
    return this.#ledger.write(this.#options.now(), (db) => {
      db.run("INSERT OR REPLACE INTO good VALUES (1, ?, ?, ?, ?, ?)",
        [config, policy, configHash, policyHash, this.#options.time()]);
      return true;
    }) ?? false;
  }

  /** Rules that a person stopped, by name: why. */
  stoppedRules(): Record<string, string> {
    const rows = this.#ledger.read((db) => db.query("SELECT rule, who FROM stopped").all() as
      { rule: string; who: string }[]) ?? [];
    return Object.fromEntries(rows.map(({ rule, who }) => [rule, `stopped by ${who}`]));
  }

  stopRule(rule: string, who: string): void {
    this.#ledger.write(this.#options.now(), (db) => void db.run(
      "INSERT OR REPLACE INTO stopped VALUES (?, ?, ?)", [rule, who, this.#options.time()]));
  }

  startRule(rule: string): void {
    this.#ledger.write(this.#options.now(), (db) =>
      void db.run("DELETE FROM stopped WHERE rule = ?", [rule]));
  }

  /** Devices that a person had left alone, by name: who. */
  disabledDevices(): Record<string, string> {
    const rows = this.#ledger.read((db) => db.query("SELECT device, who FROM disabled").all() as
      { device: string; who: string }[]) ?? [];
    return Object.fromEntries(rows.map(({ device, who }) => [device, who]));
  }

  disableDevice(device: string, who: string): void {
    this.#ledger.write(this.#options.now(), (db) => void db.run(
      "INSERT OR REPLACE INTO disabled VALUES (?, ?, ?)", [device, who, this.#options.time()]));
  }

  enableDevice(device: string): void {
    this.#ledger.write(this.#options.now(), (db) =>
      void db.run("DELETE FROM disabled WHERE device = ?", [device]));
  }

  proof(tag: string): Proof | null {
    return this.#ledger.read((db) =>
      db.query("SELECT * FROM proofs WHERE tag = ?").get(tag) as Proof | null);
  }

  saveProof(proof: Proof): boolean {
    const { tag, hash, peer, words, who, time } = proof;
    return this.#ledger.write(this.#options.now(), (db) => {
      db.run("INSERT OR REPLACE INTO proofs VALUES (?, ?, ?, ?, ?, ?)",
        [tag, hash, peer, words, who, time]);
      return true;
    }) ?? false;
  }

  /** A number that no arming of this store had or will have; null = the disk refuses. */
  nextArming(): number | null {
    return this.#ledger.write(this.#options.now(), (db) => {
      const number = (meta(db, "arming") ?? 0) + 1;
      setMeta(db, "arming", number);
      return number;
    });
  }

  /** Durable before the arming takes effect; false = it must not. */
  beginArming(a: ArmingRow): boolean {
    return this.#ledger.write(this.#options.now(), (db) => {
      db.run(
        `INSERT INTO armings (number, tag, who, hash, peer, station, at, type, word_order, scale,
           "offset", policy_hash, config_hash, epoch, begins, until)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        [a.number, a.tag, a.who, a.hash, a.peer, a.station, a.at, a.type, a.wordOrder, a.scale,
          a.offset, a.policyHash, a.configHash, this.epoch, a.begins, a.until]);
      return true;
    }) ?? false;
  }

  /** If the disk refuses, the row ends at the next start: the arming itself is over at once. */
  endArming(number: number, why: string): void {
    this.#ledger.write(this.#options.now(), (db) => void db.run(
      "UPDATE armings SET ended = ?, why = ? WHERE number = ? AND ended IS NULL",
      [this.#options.time(), why, number]));
  }

  /** Where the configuration has tags of whose writes the audit tells (W22); false = not saved. */
  savePlaces(configHash: string, places: readonly (Place & { readonly link: string })[]): boolean {
    return this.#ledger.write(this.#options.now(), (db) => {
      const insert = db.query("INSERT OR REPLACE INTO tags VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
      for (const p of places) {
        insert.run(configHash, p.tag, p.link, p.station, p.at, p.type, p.wordOrder, p.scale,
          p.offset);
      }
      return true;
    }) ?? false;
  }

  close(): void {
    this.audit.flush(true);
    this.#ledger.close();
    this.state.close();
    this.#release();
  }
}

export function openStore(directory: string, options: StoreOptions): Store {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (thrown) {
    throw new Fault("store-unusable", `${directory} cannot be made: ${reason(thrown)}`,
      { directory });
  }
  return new Store(directory, options);
}

function meta(db: Database, key: string): number | null {
  const found = db.query("SELECT value FROM meta WHERE key = ?").get(key) as
    { value: number } | null;
  return found?.value ?? null;
}

function setMeta(db: Database, key: string, value: number): void {
  db.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", [key, value]);
}
