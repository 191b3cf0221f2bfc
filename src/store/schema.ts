import type { Database } from "bun:sqlite";

/**
 * The store's tables. Times are engine time (ms since the epoch) unless the name says monotonic, so
 * that somebody who stands at the machine can lay them beside his own record (W22).
 *
 *   attempts   one row a command that was admitted, or refused to somebody outside (W21); without
 *              id it is no command, but what a person did: disarmed, changed the configuration
 *   ids        of commands from outside whose rows were pruned: never taken again (W17)
 *   withheld   a rule's refusals, shadow and deadband: one row a change of code, with count; and
 *              what came from outside and is no command: one row a code and source
 *   acts       what an operator did to an alarm: acknowledged it, put it on or off the shelf
 *   armings    who armed which tag, as proved to lie where, from when until when
 *   proofs     what a person has seen and confirmed of a tag (W2)
 *   tags       where the configuration has each tag that the policy, a permit or a rule speaks of
 *   starts     starts since the last healthy run (W5)
 *   good       the last pair of configuration and policy that passed `check`
 *   stopped    rules that a person stopped, until somebody starts them
 *   disabled   devices that a person had left alone, until somebody enables them
 *   meta       epoch, next arming number, counters
 */
const schema = `
CREATE TABLE IF NOT EXISTS attempts (
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  verdict TEXT NOT NULL CHECK (verdict IN ('admitted', 'refused')),
  id TEXT NOT NULL, origin TEXT NOT NULL, who TEXT NOT NULL, source TEXT NOT NULL,
  tag TEXT NOT NULL,
  asked TEXT, means REAL, clamped INTEGER NOT NULL DEFAULT 0, words BLOB,
  policy_hash TEXT NOT NULL, config_hash TEXT NOT NULL,
  inputs TEXT, permit TEXT, read REAL,
  arming INTEGER, epoch INTEGER NOT NULL,
  received REAL NOT NULL, time REAL NOT NULL, monotonic REAL NOT NULL, not_after REAL,
  sent REAL, frame BLOB,
  outcome TEXT, code TEXT, sentence TEXT, exception INTEGER, read_back REAL, ended REAL,
  means_text TEXT, read_text TEXT, read_back_text TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS attempts_by_id ON attempts (id);
CREATE INDEX IF NOT EXISTS attempts_by_tag ON attempts (tag, time);
CREATE INDEX IF NOT EXISTS attempts_by_time ON attempts (time);
CREATE INDEX IF NOT EXISTS attempts_open ON attempts (row) WHERE outcome IS NULL;
CREATE INDEX IF NOT EXISTS attempts_proved ON attempts (tag, row)
  WHERE origin = 'prove' AND verdict = 'admitted' AND outcome <> 'refused';
CREATE INDEX IF NOT EXISTS attempts_sent ON attempts (tag, ended)
  WHERE verdict = 'admitted' AND outcome <> 'refused';
CREATE TABLE IF NOT EXISTS ids (id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS withheld (
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  origin TEXT NOT NULL, tag TEXT NOT NULL, code TEXT NOT NULL, sentence TEXT NOT NULL,
  count INTEGER NOT NULL, first REAL NOT NULL, last REAL NOT NULL,
  epoch INTEGER NOT NULL, policy_hash TEXT NOT NULL, config_hash TEXT NOT NULL,
  who TEXT NOT NULL DEFAULT '', source TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX IF NOT EXISTS withheld_by_tag ON withheld (tag, last);
CREATE INDEX IF NOT EXISTS withheld_by_time ON withheld (last);
CREATE TABLE IF NOT EXISTS acts (
  row INTEGER PRIMARY KEY AUTOINCREMENT,
  alarm TEXT NOT NULL, act TEXT NOT NULL CHECK (act IN ('ack', 'shelve', 'unshelve')),
  until REAL NOT NULL, origin TEXT NOT NULL, who TEXT NOT NULL, source TEXT NOT NULL,
  time REAL NOT NULL, epoch INTEGER NOT NULL, config_hash TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS acts_by_alarm ON acts (alarm, time);
CREATE INDEX IF NOT EXISTS acts_by_time ON acts (time);
CREATE INDEX IF NOT EXISTS acts_until ON acts (until);
CREATE TABLE IF NOT EXISTS armings (
  number INTEGER PRIMARY KEY,
  tag TEXT NOT NULL, who TEXT NOT NULL, hash TEXT NOT NULL,
  peer TEXT NOT NULL, station INTEGER NOT NULL, at TEXT NOT NULL, type TEXT NOT NULL,
  word_order TEXT NOT NULL, scale REAL NOT NULL, "offset" REAL NOT NULL,
  policy_hash TEXT NOT NULL, config_hash TEXT NOT NULL, epoch INTEGER NOT NULL,
  begins REAL NOT NULL, until REAL NOT NULL, ended REAL, why TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS armings_begun ON armings (begins);
CREATE INDEX IF NOT EXISTS armings_begun_by_tag ON armings (tag, begins);
CREATE INDEX IF NOT EXISTS armings_ended ON armings (ended);
CREATE INDEX IF NOT EXISTS armings_ended_by_tag ON armings (tag, ended);
CREATE TABLE IF NOT EXISTS proofs (
  tag TEXT PRIMARY KEY, hash TEXT NOT NULL, peer TEXT NOT NULL, words TEXT NOT NULL,
  who TEXT NOT NULL, time REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS tags (
  config_hash TEXT NOT NULL, tag TEXT NOT NULL, link TEXT NOT NULL, station INTEGER NOT NULL,
  at TEXT NOT NULL, type TEXT NOT NULL, word_order TEXT NOT NULL, scale REAL NOT NULL,
  "offset" REAL NOT NULL, PRIMARY KEY (config_hash, tag)
) STRICT;
CREATE TABLE IF NOT EXISTS starts (time REAL NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS good (
  one INTEGER PRIMARY KEY CHECK (one = 1), config TEXT NOT NULL, policy TEXT NOT NULL,
  config_hash TEXT NOT NULL, policy_hash TEXT NOT NULL, time REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS stopped (
  rule TEXT PRIMARY KEY, who TEXT NOT NULL, time REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS disabled (
  device TEXT PRIMARY KEY, who TEXT NOT NULL, time REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value REAL NOT NULL) STRICT;
`;

/** Columns that a store of an earlier version does not have yet. */
const later = [
  ["attempts", "means_text", "TEXT"],
  ["attempts", "read_text", "TEXT"],
  ["attempts", "read_back_text", "TEXT"],
  ["withheld", "who", "TEXT NOT NULL DEFAULT ''"],
  ["withheld", "source", "TEXT NOT NULL DEFAULT ''"],
] as const;

/** Makes what is missing. */
export function prepare(db: Database): void {
  db.run(schema);
  for (const [table, column, type] of later) {
    const there = db.query("SELECT 1 FROM pragma_table_info(?) WHERE name = ?").get(table, column);
    if (there === null) db.run(`ALTER TABLE ${table} ADD COLUMN ${column} ${type}`);
  }
}
