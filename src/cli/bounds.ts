import { limits } from "../base.ts";
import { becomeAnew } from "../base/os.ts";

/** What the engine reads of its environment: how far its heap and its compiled code may grow. */
const bounds: Readonly<Record<string, number>> = {
  BUN_JSC_forceRAMSize: limits.collector_memory_bytes,
  BUN_JSC_jitMemoryReservationSize: limits.code_memory_bytes,
};

/**
 * The engine reads its bounds from the environment, before anything else runs; so the executable
 * starts once more with them. Whoever sets one himself is obeyed. Where the system does not allow
 * it (an emulator), the process goes on without.
 */
export function boundEngine(): void {
  const inExecutable = process.env.TAGWERK_TARGET !== undefined;
  const missing = Object.entries(bounds).filter(([name]) => process.env[name] === undefined);
  if (!inExecutable || missing.length === 0) return;
  becomeAnew(process.execPath, process.argv.slice(2),
    Object.fromEntries(missing.map(([name, bytes]) => [name, String(bytes)])));
}
