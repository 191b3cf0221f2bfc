import { limits, reason } from "../base.ts";

/** What a disarm needs of the world, in the order in which it happens (W4). */
export interface DisarmSteps {
  /** Writes and syncs the latch file: from now on no start and no arming can write. */
  raise(): void;
  /** Asks the runtime; resolves once no admitted command can still leave. */
  ask(): Promise<void>;
  /** Resolves after so many ms. */
  wait(ms: number): Promise<void>;
  /** Ends the runtime's process at once; its pid, or null if none is running. */
  kill(): number | null;
}

export interface Disarmed {
  /** `quiet`: the runtime said that nothing can leave any more. `absent`: there is none. */
  readonly how: "quiet" | "killed" | "absent";
  /** One sentence for whoever asked. */
  readonly text: string;
}

/**
 * W4: file first, then the runtime, and at worst an end to it. A runtime that cannot be asked is
 * not trusted to be silent. If the file cannot be written, the runtime is asked all the same, and
 * the trouble is told.
 */
export async function disarm(
  steps: DisarmSteps, disarm_ms: number = limits.disarm_ms_max,
): Promise<Disarmed> {
  let trouble = "";
  try {
    steps.raise();
  } catch (thrown) {
    trouble = ` The latch file could not be written (${reason(thrown)}): a start would lift it.`;
  }
  const late = "no answer in time";
  const failed = await Promise.race([
    steps.ask().then(() => null, reason),
    steps.wait(disarm_ms).then(() => late),
  ]);
  if (failed === null) return { how: "quiet", text: `Disarmed; nothing can leave.${trouble}` };
  const pid = steps.kill();
  if (pid === null) {
    return { how: "absent", text: `Disarmed; nothing runs on this store.${trouble}` };
  }
  return { how: "killed", text: `Disarmed: process ${pid} was killed (${failed}).${trouble}` };
}
