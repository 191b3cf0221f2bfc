import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Fault, reason } from "../base.ts";

/**
 * Takes an exclusive lock on a path (flock, from `base/os`) and gives what releases it, or null if
 * another process has it.
 */
export type Lock = (path: string) => (() => void) | null;

const lockPath = (directory: string): string => join(directory, "lock");

/** W23: one writer a machine. The file is locked by flock; its text says who holds it. */
export function lockDirectory(directory: string, lock: Lock): () => void {
  const path = lockPath(directory);
  const release = lock(path);
  if (release === null) {
    const pid = lockHolder(directory);
    const who = pid === null ? "another process" : `process ${pid}`;
    throw new Fault("store-locked", `${who} runs on ${directory} already`, { directory, pid });
  }
  noteHolder(path, identity(process.pid) ?? "");
  return () => {
    noteHolder(path, "");
    release();
  };
}

/** Pid of the living process that holds the directory, or null. */
export function lockHolder(directory: string): number | null {
  let text: string;
  try {
    text = readFileSync(lockPath(directory), "utf8");
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new Fault("store-unreadable", `the lock of ${directory}: ${reason(thrown)}`);
  }
  const pid = Number.parseInt(text, 10);
  return pid > 0 && identity(pid) === text ? pid : null;
}

/**
 * The stores that processes of this machine hold, as far as we may look: whoever disarms need not
 * know where a gateway was started (W4).
 */
export function heldStores(): string[] {
  const held = new Set<string>();
  for (const pid of readable("/proc").filter((name) => /^\d+$/.test(name))) {
    for (const fd of readable(`/proc/${pid}/fd`)) {
      const file = target(`/proc/${pid}/fd/${fd}`);
      if (file === null || file !== lockPath(dirname(file))) continue;
      if (lockHolder(dirname(file)) === Number(pid)) held.add(dirname(file));
    }
  }
  return [...held];
}

/** What is gone or another's has nothing to show. */
function readable(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown) return [];
    throw thrown;
  }
}

function target(link: string): string | null {
  try {
    return readlinkSync(link);
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown) return null;
    throw thrown;
  }
}

/** On a full disk the lock holds all the same, only its text is missing. */
function noteHolder(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (thrown) {
    if (!(thrown instanceof Error && "code" in thrown)) throw thrown;
  }
}

/**
 * Pids come round again, and `disarm` kills by this: so a process is named by pid, start time
 * (field 22 of proc(5) stat, counted after the name in parentheses) and boot. null = no living
 * process.
 */
function identity(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return null;
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${pid} ${fields[19]} ${boot}`;
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown) return null;
    throw thrown;
  }
}
