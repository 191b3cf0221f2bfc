import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Question } from "./subject.ts";

/** What a changed kernel may take for some sets of rows before it counts as found. */
const answer_ms_max = 20_000, memory_bytes_max = 1.5 * 2 ** 30;
const page_bytes = 4096, look_ms = 100;

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
    const started = performance.now();
    const watch = setInterval(() => {
      if (performance.now() - started > answer_ms_max || memoryOf(child.pid) > memory_bytes_max) {
        child.kill("SIGKILL");
      }
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

function memoryOf(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, "latin1").split(" ")[1]) * page_bytes;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return 0;
    throw thrown;
  }
}
