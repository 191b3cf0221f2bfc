import { limits } from "../base.ts";
import { becomeAnew } from "../base/os.ts";

const variable = "BUN_JSC_forceRAMSize";

/**
 * The collector reads how large it may let the heap grow from the environment, before anything else
 * runs; so the executable starts once more with it. Whoever sets the variable himself is obeyed.
 * Where the system does not allow it (an emulator), the process goes on without.
 */
export function paceCollector(): void {
  const inExecutable = process.env.TAGWERK_TARGET !== undefined;
  if (!inExecutable || process.env[variable] !== undefined) return;
  becomeAnew(process.execPath, process.argv.slice(2),
    { [variable]: String(limits.collector_memory_bytes) });
}
