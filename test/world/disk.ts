import { Database } from "bun:sqlite";

/** SQLite's own words for what a disk may say (sqlite.org/rescode.html). */
const troubles = {
  full: { code: "SQLITE_FULL", message: "database or disk is full" },
  io: { code: "SQLITE_IOERR_WRITE", message: "disk I/O error" },
} as const;
export type DiskTrouble = keyof typeof troubles;

/** The disk of one gateway: every database on it refuses to write while it is in trouble. */
export class Disk {
  trouble: DiskTrouble | null = null;
  /** Writes that were refused. */
  refused = 0;
  readonly #open: Database[] = [];

  readonly database = (path: string): Database => {
    const db = new SimDatabase(path, this);
    this.#open.push(db);
    return db;
  };

  /** The process is gone: its files are closed as they are. */
  processEnded(): void {
    for (const db of this.#open.splice(0)) db.close();
  }
}

class SimDatabase extends Database {
  readonly #disk: Disk;

  constructor(path: string, disk: Disk) {
    super(path, { create: true, strict: true });
    this.#disk = disk;
  }

  /** A transaction begins or ends: here a disk says that it has no room. */
  override run(...given: Parameters<Database["run"]>): ReturnType<Database["run"]> {
    const [sql] = given;
    if (this.#disk.trouble !== null && (sql === "BEGIN IMMEDIATE" || sql === "COMMIT")) {
      this.#disk.refused += 1;
      const { code, message } = troubles[this.#disk.trouble];
      throw Object.assign(new Error(message), { code });
    }
    return super.run(...given);
  }
}
