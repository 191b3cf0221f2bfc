import { Fault } from "../base.ts";
import { dayStart } from "../gate.ts";
import type { Store } from "../store.ts";
import type { PruneRequest } from "./view.ts";
import { pause, type World } from "./world.ts";

/** One request works for this long at most; who asked asks again. */
const work_ms_max = 2000;
/** Between two deletions the thread is everybody else's. */
const rest_ms = 20;

/**
 * Old rows of the audit are deleted because a person said so, and that is on record itself (W21).
 * Today's stay: the writes of the day are counted from them (W8).
 */
export async function prune(
  store: Store, { clock, timers }: World, hashes: { policyHash: string; configHash: string },
  { before, by }: PruneRequest,
): Promise<{ rows: number; done: boolean }> {
  const time = clock.time();
  const today = dayStart(time);
  if (!(before <= today)) {
    throw new Fault("prune-too-near", `Rows since ${new Date(today).toISOString()} stay: the ` +
      "writes of the day are counted from them", { today });
  }
  const [began, asked] = [clock.now(), new Date(before).toISOString()];
  let [rows, gone] = [0, -1];
  while (gone !== 0 && clock.now() - began < work_ms_max) {
    const deleted = store.audit.prune(before);
    if (deleted === null) {
      const why = store.audit.unavailable;
      throw new Fault("audit-unavailable", `The audit cannot be written: ${why}`, { why });
    }
    gone = deleted;
    rows += gone;
    await pause(timers, rest_ms);
  }
  if (rows > 0) {
    store.audit.note({
      origin: "cli", who: by, source: "socket", asked, time, monotonic: began,
      policyHash: hashes.policyHash, configHash: hashes.configHash,
      code: "pruned", sentence: `${rows} rows before ${asked} were deleted.`,
    });
  }
  return { rows, done: gone === 0 };
}
