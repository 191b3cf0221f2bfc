import type { Database } from "bun:sqlite";
import { limits, reason } from "../base.ts";
import type { Written } from "../ring.ts";
import { Fold, type Folded, type Withheld } from "./fold.ts";
import { audit_full, type Ledger } from "./ledger.ts";

/** Folded refusals are written this often at most (ms): an SD card survives it. */
export const flush_ms = 10_000;
/** Refusals of outside commands and outcomes kept while the disk refuses; more are counted. */
const waiting_max = 1024;
/** Oldest folded refusals given up at a time when the file is full. */
const trim_rows = 1024;
/** Attempts deleted at a time by a person's order. */
const prune_rows = 500;

/** What every attempt says of itself (W21). Times are engine time unless `monotonic`. */
export interface Attempt {
  readonly id: string;
  readonly origin: string;
  readonly who: string;
  readonly source: string;
  readonly tag: string;
  /** As asked, whatever it was. */
  readonly asked: unknown;
  readonly policyHash: string;
  readonly configHash: string;
  readonly received: number;
  readonly time: number;
  readonly monotonic: number;
}

/** An admitted command, before its frame leaves (W10). */
export interface Intent extends Attempt {
  readonly means: Written;
  readonly clamped: boolean;
  /** Raw words as they will stand on the wire. */
  readonly words: Uint8Array;
  /** `{"oldest": time, "state", "flags"}` of a rule, and what else should be on record. */
  readonly inputs: Readonly<Record<string, unknown>> | null;
  /** Per condition: text, value, time of its oldest input. */
  readonly permit: readonly Readonly<Record<string, unknown>>[];
  /** What the tag read right before, or null. */
  readonly read: Written | null;
  readonly arming: number;
  /** Engine time after which the frame must not leave. */
  readonly notAfter: number;
}

export interface RefusedAttempt extends Attempt {
  readonly code: string;
  readonly sentence: string;
}

/** How an intent ended. */
export interface Ending {
  readonly row: number;
  /** Engine time at which the bytes went to the wire; null = they did not. */
  readonly sent: number | null;
  readonly frame: Uint8Array | null;
  readonly outcome: "verified" | "acknowledged" | "refused" | "rejected" | "unknown";
  readonly code: string | null;
  readonly sentence: string | null;
  readonly exception: number;
  readonly readBack: Written | null;
  readonly time: number;
}

/** What a person did that is no command: disarmed, changed the configuration, stopped a rule. */
export type Note = Omit<RefusedAttempt, "id" | "tag" | "received">;

/** What an operator did to an alarm. Times are engine time. */
export interface Act {
  /** `NAME` or `NAME.KEY` */
  readonly alarm: string;
  readonly act: "ack" | "shelve" | "unshelve";
  /** Until when it is on the shelf; 0 for other acts. */
  readonly until: number;
  readonly origin: string;
  readonly who: string;
  readonly source: string;
  readonly time: number;
  readonly configHash: string;
}

/** The newest proof by writing of a tag. */
export interface Proved {
  readonly tag: string;
  readonly who: string;
  /** Engine time. */
  readonly time: number;
  readonly outcome: string;
  readonly code: string | null;
  readonly readBack: Written | null;
  /** Of the path that it was proved for (W2). */
  readonly hash: string;
}

export interface AuditRow {
  readonly row: number;
  readonly verdict: "admitted" | "refused" | "withheld" | "act";
  readonly time: number;
  readonly id: string | null;
  readonly origin: string;
  readonly who: string;
  readonly source: string;
  readonly tag: string;
  /** JSON text. */
  readonly asked: string | null;
  readonly means: Written | null;
  readonly read: Written | null;
  readonly arming: number | null;
  readonly sent: number | null;
  /** Bytes of the write as sent, in hexadecimal. */
  readonly frame: string | null;
  readonly outcome: string | null;
  readonly code: string | null;
  readonly sentence: string | null;
  readonly readBack: Written | null;
  readonly count: number;
  readonly first: number;
}

/** An intent that a restart left without outcome: it is unknown now (W15). */
export interface Abandoned {
  readonly row: number;
  readonly tag: string;
  readonly origin: string;
  readonly means: Written;
  readonly read: Written | null;
  readonly time: number;
}

/** W21. All methods are synchronous; what returns is durable, unless `unavailable` says why not. */
export class Audit {
  readonly #ledger: Ledger;
  readonly #epoch: () => number;
  readonly #now: () => number;
  readonly #fold = new Fold();
  readonly #claimed = new Set<string>();
  #endings: Ending[] = [];
  #refused: RefusedAttempt[] = [];
  #flushAt = -Infinity;
  #full = false;
  /** Refusals of outside commands that no row tells of, because the disk refused too long. */
  lost = 0;

  constructor(ledger: Ledger, epoch: () => number, now: () => number) {
    this.#ledger = ledger;
    this.#epoch = epoch;
    this.#now = now;
  }

  /** Why nothing can be admitted, or null (`audit-unavailable`, W10). */
  get unavailable(): string | null {
    return this.#ledger.trouble ?? (this.#full ? audit_full : null);
  }

  /** Commits several intents at once; their row numbers, or null: not one of them is admitted. */
  intents(intents: readonly Intent[]): number[] | null {
    const now = this.#now();
    if (!this.#makeRoom(now)) return null;
    const rows = this.#ledger.write(now, (db) => {
      const waiting = this.#storeWaiting(db);
      return { rows: intents.map((intent) => insertIntent(db, intent, this.#epoch())), waiting };
    });
    if (rows === null) return null;
    this.#forget(rows.waiting);
    for (const { id, origin, tag } of intents) {
      this.#claimed.delete(id);
      this.#fold.interrupt(origin, tag);
    }
    return rows.rows;
  }

  /** Ends intents. Never lost while the process lives: kept until the disk takes them. */
  outcomes(endings: readonly Ending[]): void {
    this.#endings.push(...endings);
    this.#commit();
  }

  /** A command of REST, MQTT or CLI that was refused: one durable row each. */
  refusals(attempts: readonly RefusedAttempt[]): void {
    for (const attempt of attempts) {
      if (this.#refused.length < waiting_max) {
        this.#refused.push(attempt);
        continue;
      }
      this.lost += 1;
      this.#claimed.delete(attempt.id);
    }
    this.#commit();
  }

  /** A durable row, as a refusal's: kept until the disk takes it. No command is without an id. */
  note(note: Note): void {
    this.refusals([{ id: "", tag: "", received: note.time, ...note }]);
  }

  /**
   * A rule's refusal, shadow or deadband, or what came from outside and is no command: folded,
   * written every `flush_ms`.
   */
  withheld(refusal: Withheld): void {
    this.#fold.add(refusal);
  }

  /** Writes what waits, if it is time or `all`. */
  flush(all: boolean): void {
    const now = this.#now();
    if (this.#full) this.#makeRoom(now);
    if (this.#endings.length + this.#refused.length > 0) this.#commit();
    if (!all && now < this.#flushAt) return;
    this.#flushAt = now + flush_ms;
    const dirty = this.#fold.dirty;
    if (dirty.length === 0 || !this.#makeRoom(now)) return;
    const rows = this.#ledger.write(now, (db) => dirty.map((row) => this.#storeFolded(db, row)));
    if (rows === null) return;
    for (let i = 0; i < rows.length; i++) dirty[i]!.row = rows[i]!;
    this.#fold.stored();
  }

  /**
   * `new` the first time that an id is claimed, for ever (W17). Two commands with one id cannot
   * both get it, even while the first has no row yet. `unknown`: nothing can be read, or too many
   * ids have no row yet.
   */
  claim(id: string): "new" | "known" | "unknown" {
    const seen = this.#claimed.has(id) || this.seen(id);
    if (seen === true) return "known";
    if (seen === null || this.#claimed.size >= waiting_max) return "unknown";
    this.#claimed.add(id);
    return "new";
  }

  /** False: the disk refuses, and there is no row of it. */
  act(act: Act): boolean {
    const now = this.#now();
    return this.#makeRoom(now) &&
      this.#ledger.write(now, (db) => insertAct(db, act, this.#epoch())) !== null;
  }

  /** Alarms that were put on the shelf past an engine time, and until when; 0 = taken off since. */
  shelves(time: number): readonly { readonly alarm: string; readonly until: number }[] {
    return this.#ledger.read((db) => db.query(questions.shelves).all(time) as
      { alarm: string; until: number }[]) ?? [];
  }

  /** Whether the id stands in a row; null: nothing can be read. */
  seen(id: string): boolean | null {
    return this.#ledger.read((db) => db.query(questions.seen).get(id) !== null);
  }

  /** Admitted writes of a tag since an engine time; onLoss does not count (W20). */
  writesSince(tag: string, since: number): number {
    const found = this.#ledger.read((db) =>
      db.query(questions.writesSince).get(tag, since) as { n: number });
    return found?.n ?? Number.MAX_SAFE_INTEGER;
  }

  /** Engine time by which the tag's last frame had left, or null. */
  lastSent(tag: string): number | null {
    const found = this.#ledger.read((db) =>
      db.query(questions.lastSent).get(tag) as { sent: number | null } | null);
    return found?.sent ?? null;
  }

  /** Of each tag the newest proof by writing whose frame may have left. */
  proved(): readonly Proved[] {
    return this.#ledger.read((db) => db.query(proved).all() as Proved[]) ?? [];
  }

  /**
   * W15: every intent without outcome becomes unknown: at start, at a restart of control or
   * worker.
   */
  abandon(why: string, time: number, tags: readonly string[] | null = null): readonly Abandoned[] {
    this.#commit();
    return this.#ledger.write(this.#now(), (db) => abandonIn(db, why, time, tags)) ?? [];
  }

  /** Newest first; a tag's, or all. */
  query(ask: { tag?: string; limit?: number; since?: number } = {}): readonly AuditRow[] {
    this.flush(true);
    const limit = Math.min(ask.limit ?? 100, limits.audit_rows_max);
    const { tag, since = 0 } = ask;
    return this.#ledger.read((db) => (tag === undefined
      ? db.query(questions.newest).all(since, limit)
      : db.query(questions.newestOfTag).all(since, limit, tag)) as AuditRow[]) ?? [];
  }

  /**
   * Deletes some ended attempts of before a time, the oldest first, because a person said so; how
   * many, or null: the disk refuses. What is counted on stays: every id from outside (W17), and
   * each tag's last frame, for the minimum interval.
   */
  prune(before: number): number | null {
    return this.#ledger.write(this.#now(), (db) => {
      db.query("DELETE FROM acts WHERE time < ?1 AND until < ?1").run(before);
      const gone = db.query(questions.prune).all(before, prune_rows) as
        { id: string; origin: string }[];
      const keep = db.query("INSERT OR IGNORE INTO ids VALUES (?)");
      for (const { id, origin } of gone) {
        if (id !== "" && !/^(?:rule|onLoss):/.test(origin)) keep.run(id);
      }
      return gone.length;
    });
  }

  #commit(): void {
    const now = this.#now();
    if (this.#refused.length > 0) this.#makeRoom(now);
    const waiting = this.#ledger.write(now, (db) => this.#storeWaiting(db));
    if (waiting !== null) this.#forget(waiting);
  }

  /** What is kept back of a full file is for outcomes; refusals wait for room. */
  #storeWaiting(db: Database): { endings: number; refused: number } {
    for (const ending of this.#endings) storeEnding(db, ending);
    const refused = this.#full ? [] : this.#refused;
    for (const attempt of refused) insertRefusal(db, attempt, this.#epoch());
    return { endings: this.#endings.length, refused: refused.length };
  }

  #forget(stored: { endings: number; refused: number }): void {
    for (let i = 0; i < stored.refused; i++) this.#claimed.delete(this.#refused[i]!.id);
    this.#endings = this.#endings.slice(stored.endings);
    this.#refused = this.#refused.slice(stored.refused);
  }

  /**
   * A full file refuses intents. Only folded refusals are ever given up for room, oldest first, and
   * counted in `meta`; attempts are not.
   */
  #makeRoom(now: number): boolean {
    if (this.#ledger.trouble !== null) return false;
    while (this.#ledger.fill >= 1) {
      this.#full = this.#ledger.read((db) =>
        db.query("SELECT 1 FROM withheld LIMIT 1").get() === null) ?? true;
      if (this.#full) return false;
      const gone = this.#ledger.write(now, (db) => {
        const { changes } = db.run(
          "DELETE FROM withheld WHERE row IN (SELECT row FROM withheld ORDER BY row LIMIT ?)",
          [trim_rows]);
        db.run(`INSERT INTO meta VALUES ('trimmed', ?1)
                ON CONFLICT (key) DO UPDATE SET value = value + ?1`, [changes]);
        return changes;
      });
      if (gone === null) return false;
    }
    this.#full = false;
    return true;
  }

  #storeFolded(db: Database, row: Folded): number {
    // The row may have been given up for room: then it begins anew.
    const changed = row.row === 0 ? 0 : db.run(
      "UPDATE withheld SET count = ?, last = ?, sentence = ? WHERE row = ?",
      [row.count, row.last, row.sentence, row.row]).changes;
    if (changed > 0) return row.row;
    return Number(db.run(
      `INSERT INTO withheld (origin, who, source, tag, code, sentence, count, first, last, epoch,
         policy_hash, config_hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [row.origin, row.who, row.source, row.tag, row.code, row.sentence, row.count, row.first,
        row.last, this.#epoch(), row.policyHash, row.configHash]).lastInsertRowid);
  }
}

/**
 * Newest first. With and without a tag are two texts, and each half has its own limit: so that each
 * is a walk along an index that ends after `limit` rows, however many there are.
 */
const selectOf = (tag: "" | "tag = ?3 AND"): string => `
SELECT * FROM (
  SELECT row, CASE WHEN id = '' THEN 'act' ELSE verdict END AS verdict, time, id, origin, who,
    source, tag, asked, coalesce(means_text, means) AS means, coalesce(read_text, read) AS read,
    arming, sent,
    CASE WHEN frame IS NOT NULL THEN lower(hex(frame)) END AS frame,
    CASE WHEN id = '' THEN 'done' ELSE outcome END AS outcome, code, sentence,
    coalesce(read_back_text, read_back) AS readBack, 1 AS count, time AS first
  FROM attempts WHERE ${tag} time >= ?1 ORDER BY time DESC, row DESC LIMIT ?2)
UNION ALL
SELECT * FROM (
  SELECT row, 'withheld', last, NULL, origin, who, source, tag, NULL, NULL, NULL, NULL, NULL, NULL,
    'refused', code, sentence, NULL, count, first
  FROM withheld WHERE ${tag} last >= ?1 ORDER BY last DESC, row DESC LIMIT ?2)
UNION ALL
SELECT * FROM (
  SELECT row, 'act', time, NULL, origin, who, source, alarm, CASE WHEN until > 0 THEN until END,
    NULL, NULL, NULL, NULL, NULL, act, NULL, ${untilText("until > 0")}, NULL, 1, time
  FROM acts WHERE ${tag.replace("tag", "alarm")} time >= ?1 ORDER BY time DESC, row DESC LIMIT ?2)
UNION ALL
SELECT * FROM (
  SELECT number, 'act', begins, NULL, 'cli', who, 'socket', tag, NULL, NULL, NULL, number, NULL,
    NULL, 'done', 'armed', ${untilText("1")}, NULL, 1, begins
  FROM armings WHERE ${tag} begins >= ?1 ORDER BY begins DESC, number DESC LIMIT ?2)
UNION ALL
SELECT * FROM (
  SELECT number, 'act', ended, NULL, 'cli', who, 'socket', tag, NULL, NULL, NULL, number, NULL,
    NULL, 'done', 'arming-ended', why, NULL, 1, begins
  FROM armings WHERE ${tag} ended >= ?1 ORDER BY ended DESC, number DESC LIMIT ?2)
ORDER BY time DESC, row DESC LIMIT ?2`;

function untilText(condition: string): string {
  return `CASE WHEN ${condition} THEN
    'until ' || strftime('%Y-%m-%dT%H:%M:%SZ', until / 1000, 'unixepoch') END`;
}

/** The questions that are asked while the machine is polled: none may walk a table. */
export const questions = {
  newest: selectOf(""),
  newestOfTag: selectOf("tag = ?3 AND"),
  seen: `SELECT 1 FROM attempts WHERE id = ?1 AND origin NOT LIKE 'rule:%'
UNION ALL SELECT 1 FROM ids WHERE id = ?1 LIMIT 1`,
  writesSince: `SELECT count(*) AS n FROM attempts
WHERE tag = ? AND time >= ? AND verdict = 'admitted' AND origin NOT LIKE 'onLoss:%'`,
  // Only the last act on a shelf counts: it may have been emptied since.
  shelves: `SELECT alarm, (SELECT until FROM acts AS last
  WHERE last.alarm = shelf.alarm AND last.act <> 'ack'
  ORDER BY time DESC, row DESC LIMIT 1) AS until
FROM acts AS shelf WHERE until > ?1`,
  // The conditions of the index attempts_sent, word for word.
  lastSent: `SELECT ended AS sent FROM attempts
WHERE tag = ? AND verdict = 'admitted' AND outcome <> 'refused' ORDER BY ended DESC LIMIT 1`,
  prune: `DELETE FROM attempts WHERE row IN (
  SELECT row FROM attempts AS old WHERE time < ?1 AND outcome IS NOT NULL
    AND (outcome = 'refused' OR EXISTS (SELECT 1 FROM attempts AS later INDEXED BY attempts_sent
      WHERE later.tag = old.tag AND later.time >= old.time AND later.row > old.row
        AND later.verdict = 'admitted' AND later.outcome <> 'refused'))
  ORDER BY time LIMIT ?2)
RETURNING id, origin`,
} as const;

/**
 * Asked for a report, and as long as people have proved tags: the index holds nothing else. Its
 * conditions stand here word for word.
 */
const proved = `SELECT attempts.tag, attempts.who, attempts.time, outcome, code,
  coalesce(read_back_text, read_back) AS readBack, hash
FROM (SELECT max(row) AS row FROM attempts INDEXED BY attempts_proved
  WHERE origin = 'prove' AND verdict = 'admitted' AND outcome <> 'refused' GROUP BY tag) AS newest
JOIN attempts USING (row) JOIN armings ON armings.number = attempts.arming`;

/** Numbers and texts have columns of their own. */
const numberOf = (value: Written | null): number | null =>
  (typeof value === "number" ? value : null);
const textOf = (value: Written | null): string | null =>
  (typeof value === "string" ? value : null);

function insertIntent(db: Database, i: Intent, epoch: number): number {
  return Number(db.query(
    `INSERT INTO attempts (verdict, id, origin, who, source, tag, asked, means, means_text, clamped,
       words, policy_hash, config_hash, inputs, permit, read, read_text, arming, epoch, received,
       time, monotonic, not_after)
     VALUES ('admitted', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(i.id, i.origin, i.who, i.source, i.tag, asText(i.asked), numberOf(i.means),
    textOf(i.means), i.clamped ? 1 : 0, i.words, i.policyHash, i.configHash,
    i.inputs && JSON.stringify(i.inputs), JSON.stringify(i.permit), numberOf(i.read),
    textOf(i.read), i.arming, epoch, i.received, i.time, i.monotonic, i.notAfter,
  ).lastInsertRowid);
}

function insertRefusal(db: Database, a: RefusedAttempt, epoch: number): void {
  db.query(
    `INSERT INTO attempts (verdict, id, origin, who, source, tag, asked, policy_hash, config_hash,
       epoch, received, time, monotonic, outcome, code, sentence, ended)
     VALUES ('refused', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'refused', ?, ?, ?)`,
  ).run(a.id, a.origin, a.who, a.source, a.tag, asText(a.asked), a.policyHash, a.configHash, epoch,
    a.received, a.time, a.monotonic, a.code, a.sentence, a.time);
}

function insertAct(db: Database, a: Act, epoch: number): boolean {
  db.query(
    `INSERT INTO acts (alarm, act, until, origin, who, source, time, epoch, config_hash)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(a.alarm, a.act, a.until, a.origin, a.who, a.source, a.time, epoch, a.configHash);
  return true;
}

/** An outcome that comes after its row was abandoned changes nothing: unknown stays unknown. */
function storeEnding(db: Database, e: Ending): void {
  db.query(
    `UPDATE attempts SET sent = ?, frame = ?, outcome = ?, code = ?, sentence = ?, exception = ?,
       read_back = ?, read_back_text = ?, ended = ? WHERE row = ? AND outcome IS NULL`,
  ).run(e.sent, e.frame, e.outcome, e.code, e.sentence, e.exception,
    numberOf(e.readBack), textOf(e.readBack), e.time, e.row);
}

/**
 * A loss's intent is committed at arming and fires without a second commit, so that it can when the
 * disk refuses (W19): its row alone cannot tell whether its frame left.
 */
const reserved = "It was kept ready since the arming; whether it fired is not on record.";

export function abandonIn(
  db: Database, why: string, time: number, tags: readonly string[] | null,
): Abandoned[] {
  const open = db.query(
    `SELECT row, tag, origin, coalesce(means_text, means) AS means,
       coalesce(read_text, read) AS read, time FROM attempts
     WHERE outcome IS NULL AND verdict = 'admitted' ORDER BY row`).all() as Abandoned[];
  const ours = open.filter(({ tag }) => tags === null || tags.includes(tag));
  for (const { row, origin } of ours) {
    const sentence = origin.startsWith("onLoss:") ? `${why} ${reserved}` : why;
    db.run(`UPDATE attempts SET outcome = 'unknown', code = 'restart', sentence = ?, ended = ?
            WHERE row = ?`, [sentence, time, row]);
  }
  return ours;
}

/** As JSON, cut to what a row can bear: whatever somebody sends, it is kept as it came. */
function asText(asked: unknown): string | null {
  if (typeof asked === "number" && !Number.isFinite(asked)) return `"${asked}"`;
  try {
    return JSON.stringify(asked)?.slice(0, 256) ?? null;
  } catch (thrown) {
    // Nested too deep for the engine's stack, or going round in circles: no value of a tag.
    return JSON.stringify(`(${reason(thrown)})`);
  }
}
