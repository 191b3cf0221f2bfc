import {
  closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

/** W4: the file whose existence keeps all writing off, over restarts. */
export interface LatchFile {
  /** Returns once the file would survive a power cut. */
  set(by: string): void;
  clear(): void;
  /** Who disarmed, or null. A file that says nothing sensible is a latch all the same. */
  read(): string | null;
}

/** Works without an open store: `disarm` must do so while another process holds it. */
export function latchFile(directory: string): LatchFile {
  const path = join(directory, "latch");
  return {
    set(by) {
      mkdirSync(directory, { recursive: true });
      const fresh = `${path}.${process.pid}`;
      const file = openSync(fresh, "w", 0o644);
      try {
        writeSync(file, `${JSON.stringify({ by })}\n`);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(fresh, path);
      syncDirectory(directory);
    },
    clear() {
      if (!existsSync(path)) return;
      unlinkSync(path);
      syncDirectory(directory);
    },
    read() {
      if (!existsSync(path)) return null;
      try {
        const { by } = JSON.parse(readFileSync(path, "utf8")) as { by?: unknown };
        return typeof by === "string" && by !== "" ? by : "somebody";
      } catch (thrown) {
        // Empty, damaged or unreadable: in doubt, writing stays off.
        return thrown instanceof Error ? "somebody (the latch file is damaged)" : "somebody";
      }
    },
  };
}

/** A new or removed name is durable only when its directory is. */
function syncDirectory(directory: string): void {
  const file = openSync(directory, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
