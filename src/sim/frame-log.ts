import { closeSync, openSync, writeSync } from "node:fs";
import type { FrameRecord } from "./link.ts";

/**
 * The frame log reaches the file at least this often (ms), before a command is answered, and when
 * the simulator ends.
 */
const flush_ms_max = 50;
/** … and sooner when this much waits (characters). */
const waiting_characters_max = 1 << 16;

/** Every frame with its time, one JSON object a line, appended to a file. */
export class FrameLog {
  readonly #file: number;
  readonly #time: () => number;
  #waiting = "";
  readonly #timer: Timer;

  /** `time` is milliseconds since the epoch. */
  constructor(path: string, time: () => number) {
    this.#file = openSync(path, "a");
    this.#time = time;
    this.#timer = setInterval(() => this.flush(), flush_ms_max);
    this.#timer.unref();
  }

  add(record: FrameRecord): void {
    const { t, ...rest } = record;
    this.#waiting += `${JSON.stringify({ t, time: this.#time(), ...rest })}\n`;
    if (this.#waiting.length > waiting_characters_max) this.flush();
  }

  close(): void {
    clearInterval(this.#timer);
    this.flush();
    closeSync(this.#file);
  }

  flush(): void {
    if (this.#waiting === "") return;
    const bytes = Buffer.from(this.#waiting);
    for (let sent = 0; sent < bytes.length;) sent += writeSync(this.#file, bytes, sent);
    this.#waiting = "";
  }
}
