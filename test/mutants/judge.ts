import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Question } from "./subject.ts";

/**
 * What a changed kernel may take for some sets of rows before it counts as found: of the processor,
 * since how long that is on a machine with other work says nothing.
 */
const answer_cpu_s_max = 10, memory_bytes_max = 1.5 * 2 ** 30;
const page_bytes = 4096, ticks_per_s = 100, look_ms = 100;

/**
 * Changed kernels run in a process of their own: what they write over other places may make the
 * code of a stage go on for ever, or ask for more memory than there is.
 */
export class Judge {
  /** Processes that had to be ended, or died. */
  died = 0;
  #child: ReturnType<typeof Bun.spawn> | null = null;
  #answer: ((answer: boolean | null) => void) | null = null;

  /** Yes, no, or null: nothing came back. */
  async ask(question: Question): Promise<boolean | null> {
    const child = this.#child ??= this.#start();
    const started = usedBy(child.pid).cpu_s;
    const watch = setInterval(() => {
      const { cpu_s, bytes } = usedBy(child.pid);
      if (cpu_s - started > answer_cpu_s_max || bytes > memory_bytes_max) child.kill("SIGKILL");
    }, look_ms);
    const answer = await new Promise<boolean | null>((resolve) => {
      this.#answer = resolve;
      child.send(question);
    });
    clearInterval(watch);
    return answer;
  }

  close(): void {
    this.#child?.kill("SIGKILL");
    this.#child = null;
  }

  #start(): ReturnType<typeof Bun.spawn> {
    const child = Bun.spawn([process.execPath, join(import.meta.dir, "judge.child.ts")], {
      stdout: "inherit", stderr: "inherit",
      ipc: (answer: boolean) => this.#answer?.(answer),
      onExit: () => {
        if (this.#child !== child) return;
        this.#child = null;
        this.died += 1;
        this.#answer?.(null);
      },
    });
    return child;
  }
}

/** Seconds of the processor, bytes of memory; 0 of a process that is gone. */
function usedBy(pid: number): { cpu_s: number; bytes: number } {
  try {
    // Behind the name, which may hold anything: proc_pid_stat(5), fields from the third on.
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)!.split(" ");
    return { cpu_s: (Number(stat[11]) + Number(stat[12])) / ticks_per_s,
      bytes: Number(stat[21]) * page_bytes };
  } catch (thrown) {
    if (["ENOENT", "ESRCH"].includes((thrown as NodeJS.ErrnoException).code!)) {
      return { cpu_s: 0, bytes: 0 };
    }
    throw thrown;
  }
}
