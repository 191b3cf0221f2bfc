import type { Database } from "bun:sqlite";
import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { Ledger, type LedgerFile, type OpenDatabase } from "./ledger.ts";
import type { Segment, SegmentHead } from "./segment.ts";

const schema = `
CREATE TABLE IF NOT EXISTS segments (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL, owner TEXT NOT NULL, epoch INTEGER NOT NULL,
  first INTEGER NOT NULL, rows INTEGER NOT NULL, "from" REAL NOT NULL, "to" REAL NOT NULL,
  shape TEXT NOT NULL, marks TEXT NOT NULL,
  checkpoint INTEGER NOT NULL, checksum INTEGER NOT NULL, content BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS state_pages ON segments (owner, shape, first) WHERE kind = 'state';
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value REAL NOT NULL) STRICT;
`;

const full = "raise store.stateMB; what a checkpoint covers is deleted by itself";

/** A segment without its content. */
export interface StoredSegment extends SegmentHead {
  readonly id: number;
  readonly bytes: number;
}

/** What is there to begin with after a start. */
export interface SavedState {
  /** Number of the last complete checkpoint, 0 if there is none. */
  readonly checkpoint: number;
  readonly cut: Segment | null;
  /** Newest page, or newest rows, of each owner and `first`. */
  readonly state: readonly StoredSegment[];
  /** In the order in which they were committed. */
  readonly journal: readonly StoredSegment[];
}

/** Rows of a journal before `first` are in a checkpoint; `keep` messages of it are kept anyway. */
export interface Covered {
  readonly owner: string;
  readonly epoch: number;
  readonly first: number;
  readonly keep: number;
}

/**
 * Journal and checkpoints, as segments. A checkpoint is written piece by piece under its
 * number and counts from `finish` on: what is older than its cut and was not written again still
 * belongs to it. All methods are synchronous, and what returns true is durable.
 */
export class StateStore {
  /** Files that were no database any more, and are kept beside the new one. */
  setAside = 0;
  readonly #file: LedgerFile;
  readonly #now: () => number;
  #ledger: Ledger;

  constructor(directory: string, maxMB: number, open: OpenDatabase, now: () => number) {
    this.#now = now;
    this.#file = {
      path: join(directory, "state.sqlite"), maxMB, open, full,
      prepare: (db) => void db.run(schema),
    };
    this.#ledger = new Ledger(this.#file);
    this.step();
  }

  /** Why nothing can be kept, or null. */
  get trouble(): string | null {
    return this.#ledger.trouble;
  }

  /** Call about once a second: comes back after trouble of the disk. */
  step(): void {
    this.#ledger.step(this.#now(), forgetUnfinished);
    if (!this.#ledger.damaged) return;
    // Nothing of it can be read; a person may want to look, and the rest must go on.
    this.#ledger.close();
    for (const part of ["", "-wal", "-shm"]) {
      const path = this.#file.path + part;
      if (existsSync(path)) renameSync(path, `${this.#file.path}.damaged${part}`);
    }
    this.setAside += 1;
    this.#ledger = new Ledger(this.#file);
    this.#ledger.step(this.#now(), forgetUnfinished);
  }

  /** Null while the disk does not give it. */
  saved(): SavedState | null {
    if (this.#ledger.trouble !== null) return null;
    return this.#ledger.read((db) => {
      const cut = db.query("SELECT * FROM segments WHERE kind = 'cut' ORDER BY id DESC LIMIT 1")
        .get() as (Segment & { checkpoint: number }) | null;
      const heads = (kinds: string): StoredSegment[] => db.query(
        `SELECT id, kind, owner, epoch, first, rows, "from", "to", shape, marks,
           length(content) AS bytes FROM segments
         WHERE kind IN (${kinds}) ORDER BY id`).all() as StoredSegment[];
      return { checkpoint: cut?.checkpoint ?? 0, cut, state: heads("'state', 'rows'"),
        journal: heads("'journal'") };
    });
  }

  segment(id: number): Segment | null {
    return this.#ledger.read((db) =>
      db.query("SELECT * FROM segments WHERE id = ?").get(id) as Segment | null);
  }

  /** Rows that may be acknowledged once this returns true. */
  journal(segments: readonly Segment[]): boolean {
    return this.#write((db) => segments.forEach((segment) => insert(db, segment, 0)));
  }

  /** A piece of checkpoint `number`. */
  put(number: number, segments: readonly Segment[]): boolean {
    return this.#write((db) => segments.forEach((segment) => insert(db, segment, number)));
  }

  /**
   * From here on checkpoint `number` counts; what it makes needless is deleted. `marks` of the cut
   * are the states that belong to it: owner and shape.
   */
  finish(number: number, cut: Segment, covered: readonly Covered[]): boolean {
    return this.#write((db) => {
      insert(db, cut, number);
      db.run(`DELETE FROM segments WHERE kind = 'state' AND id NOT IN
        (SELECT max(id) FROM segments WHERE kind = 'state' GROUP BY owner, shape, first)`);
      db.run("DELETE FROM segments WHERE kind IN ('rows', 'cut') AND checkpoint < ?", [number]);
      db.run(`DELETE FROM segments WHERE kind = 'state' AND owner || ' ' || shape NOT IN
        (SELECT value FROM json_each(?))`, [cut.marks]);
      for (const part of covered) prune(db, part);
    });
  }

  close(): void {
    this.#ledger.close();
  }

  #write(work: (db: Database) => void): boolean {
    return this.#ledger.write(this.#now(), (db) => {
      work(db);
      return true;
    }) ?? false;
  }
}

function insert(db: Database, s: Segment, checkpoint: number): void {
  db.run(`INSERT INTO segments (kind, owner, epoch, first, rows, "from", "to", shape, marks,
    checkpoint, checksum, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  [s.kind, s.owner, s.epoch, s.first, s.rows, s.from, s.to, s.shape, s.marks, checkpoint,
    s.checksum, s.content]);
}

/** Pieces of a checkpoint that the process did not live to finish. */
function forgetUnfinished(db: Database): void {
  db.run(`DELETE FROM segments WHERE checkpoint >
    (SELECT coalesce(max(checkpoint), 0) FROM segments WHERE kind = 'cut')`);
}

/** Another epoch of the stream is over (its columns changed), but marks of it still count. */
function prune(db: Database, { owner, epoch, first, keep }: Covered): void {
  const rows = db.query(`SELECT id, epoch, first + rows AS end, json_array_length(marks) AS messages
    FROM segments WHERE kind = 'journal' AND owner = ? ORDER BY id DESC`)
    .all(owner) as { id: number; epoch: number; end: number; messages: number }[];
  let messages = 0;
  for (const row of rows) {
    if ((row.end <= first || row.epoch !== epoch) && messages >= keep) {
      db.run("DELETE FROM segments WHERE kind = 'journal' AND owner = ? AND id <= ?",
        [owner, row.id]);
      return;
    }
    messages += row.messages;
  }
}
