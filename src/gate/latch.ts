import { limits, reason } from "../base.ts";

/** What a disarm needs of the world, in the order in which it happens (W4). */
export interface DisarmSteps {
  /** Writes and syncs the latch file: from now on no start and no arming can write. */
  raise(): void;
  /**
   * Asks the runtime; resolves once no admitted command can still leave. What it says is why its
   * own latch will not outlast a restart, or null.
   */
  ask(): Promise<string | null>;
  /** Resolves after so many ms. */
  wait(ms: number): Promise<void>;
  /** Ends the runtime's process at once; its pid, or null if none is running. */
  kill(): number | null;
}

export interface Disarmed {
  /**
   * `quiet`: the runtime said that nothing can leave any more. `absent`: there is none. `failed`:
   * it may still write, or will be free to when it starts.
   */
  readonly how: "quiet" | "killed" | "absent" | "failed";
  /** One sentence for whoever asked. */
  readonly text: string;
}

/**
 * W4: file first, then the runtime, and at worst an end to it. A runtime that cannot be asked is
 * not trusted to be silent. One that says that it is quiet is not killed, whatever became of the
 * file: it writes its own, and tells if it cannot.
 */
export async function disarm(
  steps: DisarmSteps, disarm_ms: number = limits.disarm_ms_max,
): Promise<Disarmed> {
  let unlatched = "";
  try {
    steps.raise();
  } catch (thrown) {
    unlatched = `the latch file could not be written (${reason(thrown)}): a start is free to write`;
  }
  const failed = await Promise.race([
    steps.ask().then((trouble) => ({ trouble }), reason),
    steps.wait(disarm_ms).then(() => "no answer in time"),
  ]);
  if (typeof failed !== "string") {
    const { trouble } = failed;
    return { how: "quiet",
      text: `Disarmed; nothing can leave.${trouble === null ? "" : ` ${trouble}`}` };
  }
  let pid: number | null;
  try {
    pid = steps.kill();
  } catch (thrown) {
    return { how: "failed", text: `NOT disarmed: ${failed}; ${reason(thrown)}` };
  }
  if (pid !== null) {
    return { how: "killed", text: `Disarmed: process ${pid} was killed (${failed})` +
      `${unlatched === "" ? "." : `, but ${unlatched}.`}` };
  }
  if (unlatched !== "") {
    return { how: "failed", text: `NOT disarmed: nothing runs, but ${unlatched}.` };
  }
  return { how: "absent", text: "Disarmed; nothing runs on this store." };
}
