import { Database } from "bun:sqlite";
import { Fault } from "../base.ts";

/** Pause between two attempts to write again after the disk refused (ms). */
const retry_ms = 1000;
const page_bytes = 4096;
/** Pages kept back so that outcomes of what was admitted still fit when the file is full. */
const reserve_pages = 64;

/** What a person can do about an audit that may not grow any more. */
export const audit_full = "the audit is full: keep a copy of it, then delete old rows " +
  "(tagwerk audit --prune-before DATE --by NAME), or raise store.maxMB";

/** Somebody else may hold the file for a moment: a backup, a person with `sqlite3` (ms). */
const busy_ms = 200;

/** Opens a file of the machine's disk, or of a simulated one. */
export type OpenDatabase = (path: string) => Database;

export const openDatabase: OpenDatabase = (path) =>
  new Database(path, { create: true, strict: true });

/** The disk's trouble, as against a bug in a statement (sqlite.org/rescode.html). */
const disk = /^SQLITE_(FULL|IOERR|READONLY|CANTOPEN|BUSY|LOCKED|NOMEM|CORRUPT|NOTADB|PERM)/;

export interface LedgerFile {
  readonly path: string;
  readonly maxMB: number;
  readonly open: OpenDatabase;
  /** Makes the tables that are missing. */
  prepare(db: Database): void;
  /** What a person can do when the file may not grow any more. */
  readonly full: string;
}

/**
 * A database of the store: every transaction is durable when it returns (WAL, synchronous=FULL).
 * Trouble of the disk is a state, not an exception: `trouble` says why nothing can be written, and
 * `step` finds out when that is over. Whoever uses it keeps what must not be lost.
 */
export class Ledger {
  /** One sentence, or null: everything is well. */
  trouble: string | null = "the store is not open yet";
  /** What is in the file is no database any more. */
  damaged = false;
  readonly #file: LedgerFile;
  readonly #pages_max: number;
  #db: Database | null = null;
  #retryAt = -Infinity;

  constructor(file: LedgerFile) {
    const { maxMB } = file;
    this.#file = file;
    this.#pages_max = Math.floor((maxMB * 2 ** 20) / page_bytes);
    if (this.#pages_max < 4 * reserve_pages) {
      throw new Fault("store-too-small", "store.maxMB must be at least 1", { maxMB });
    }
  }

  /** Tries again what failed, once a while; `opened` runs in the first transaction of all. */
  step(now: number, opened: (db: Database) => void): void {
    if (this.trouble === null || now < this.#retryAt) return;
    this.#retryAt = now + retry_ms;
    const fresh = this.#db === null;
    const db = this.#db ?? this.#guard(() => this.#open());
    if (db === null) return;
    const done = this.#guard(() => this.#transact(db, () => {
      if (fresh) this.#file.prepare(db);
      if (fresh) opened(db);
      db.run("INSERT OR REPLACE INTO meta VALUES ('probe', ?)", [now]);
      return true;
    }));
    if (done === null) {
      if (fresh) db.close();
      return;
    }
    this.#db = db;
    this.trouble = null;
  }

  /** One durable transaction; null = it did not happen, and `trouble` says why. */
  write<T>(now: number, work: (db: Database) => T): T | null {
    const db = this.#db;
    if (db === null || this.trouble !== null) return null;
    this.#retryAt = now + retry_ms;
    return this.#guard(() => this.#transact(db, () => work(db)));
  }

  /** Reading goes on where it can; null = nothing can be read. */
  read<T>(work: (db: Database) => T): T | null {
    const db = this.#db;
    if (db === null) return null;
    try {
      return work(db);
    } catch (thrown) {
      if (!isDisk(thrown)) throw thrown;
      return null;
    }
  }

  /** Used part of what may be used, 0..1. */
  get fill(): number {
    const used = this.read((db) => pragma(db, "page_count") - pragma(db, "freelist_count"));
    return (used ?? 0) / (this.#pages_max - reserve_pages);
  }

  close(): void {
    this.#db?.close();
    this.#db = null;
    this.trouble = "the store is closed";
  }

  #open(): Database {
    const db = this.#file.open(this.#file.path);
    try {
      db.run(`PRAGMA page_size=${page_bytes}`);
      db.run("PRAGMA journal_mode=WAL");
      db.run("PRAGMA synchronous=FULL");
      // The log is cut back after a checkpoint, so that it counts little beside the file.
      db.run(`PRAGMA journal_size_limit=${1 << 20}`);
      db.run(`PRAGMA wal_autocheckpoint=${reserve_pages * 4}`);
      db.run(`PRAGMA busy_timeout=${busy_ms}`);
      db.run(`PRAGMA max_page_count=${this.#pages_max}`);
    } catch (thrown) {
      db.close();
      throw thrown;
    }
    return db;
  }

  #transact<T>(db: Database, work: () => T): T {
    db.run("BEGIN IMMEDIATE");
    try {
      const result = work();
      db.run("COMMIT");
      return result;
    } catch (thrown) {
      // SQLite has rolled back by itself after some errors of the disk.
      if (db.inTransaction) db.run("ROLLBACK");
      throw thrown;
    }
  }

  #guard<T>(work: () => T): T | null {
    try {
      return work();
    } catch (thrown) {
      if (!isDisk(thrown)) throw thrown;
      const { message, code } = thrown as { message: string; code: string };
      this.damaged ||= code.startsWith("SQLITE_NOTADB") || code.startsWith("SQLITE_CORRUPT");
      const help = code === "SQLITE_FULL" ? `: make room on the disk, or ${this.#file.full}` : "";
      this.trouble = `${message} (${code})${help}`;
      return null;
    }
  }
}

function isDisk(thrown: unknown): boolean {
  const code = (thrown as { code?: unknown } | null)?.code;
  return typeof code === "string" && disk.test(code);
}

function pragma(db: Database, name: "page_count" | "freelist_count"): number {
  return (db.query(`PRAGMA ${name}`).get() as Record<string, number>)[name]!;
}
