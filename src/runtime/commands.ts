import { Fault, limits, reason } from "../base.ts";
import type { CommandMessage } from "../connector.ts";

/** What `main` is asked to do for a message. */
export type FromTopic = { readonly disarm: string } | { readonly command: QueuedCommand };

/** `text` is null if it was longer than `command_bytes_max`: it is not kept. */
export interface QueuedCommand extends Omit<CommandMessage, "text"> {
  readonly text: string | null;
}

/** However JSON spells the word, one of these is in the text. */
const may_disarm = /disarm|\\u/;

interface CommandsOptions {
  /** The promise is the answer's text. */
  ask(message: FromTopic): Promise<string>;
  answer(text: string): void;
  wake(): void;
  /** Resolves after so many ms. */
  pause(ms: number): Promise<void>;
}

/**
 * Messages on the command topic (W17), as bounded as what comes by the API: a queue of so many, a
 * few in a turn, and then a rest at least as long as that turn took, so that a flood gets at most
 * half of a thread. What does not fit is dropped and counted. A `disarm` waits for nobody (W4) but
 * another one.
 */
export class Commands {
  /** Messages that were dropped since the start, unanswered. */
  dropped = 0;
  readonly #options: CommandsOptions;
  #waiting: QueuedCommand[] = [];
  #underWay = 0;
  #restUntil = -Infinity;
  /** Some were taken in this turn. */
  #taken = false;
  #disarming = false;
  /** Who asked while another disarm was under way or rested from: one more serves all of them. */
  #disarmNext: string | null = null;

  constructor(options: CommandsOptions) {
    this.#options = options;
  }

  /** From the client's callback. */
  arrived(message: CommandMessage): void {
    const by = disarmedBy(message.text);
    if (by !== null) return void this.#disarm(by);
    if (this.#waiting.length >= limits.commands_waiting_max) {
      this.dropped += 1;
      return;
    }
    const short = message.text.length <= limits.command_bytes_max;
    this.#waiting.push(short ? message : { ...message, text: null });
    this.#options.wake();
  }

  /** Once a turn, before the gate. */
  step(now: number): void {
    this.#taken = false;
    if (now < this.#restUntil) return;
    const free = limits.commands_max - this.#underWay;
    const some = this.#waiting.splice(0, Math.min(limits.commands_per_turn_max, free));
    this.#taken = some.length > 0;
    for (const command of some) void this.#pass(command);
  }

  /** At the end of a turn; when the next is wanted (monotonic ms). */
  rest(began: number, now: number): number {
    if (this.#taken) this.#restUntil = now + Math.max(limits.commands_rest_ms, now - began);
    // A full way is free again with an answer, which wakes.
    const idle = this.#waiting.length === 0 || this.#underWay >= limits.commands_max;
    return idle ? Infinity : Math.max(now, this.#restUntil);
  }

  async #pass(command: QueuedCommand): Promise<void> {
    this.#underWay += 1;
    await this.#ask({ command });
    this.#underWay -= 1;
    if (this.#waiting.length > 0) this.#options.wake();
  }

  async #disarm(by: string): Promise<void> {
    this.#disarmNext = by;
    if (this.#disarming) return;
    this.#disarming = true;
    for (let next: string | null = by; next !== null; next = this.#disarmNext) {
      this.#disarmNext = null;
      await this.#ask({ disarm: next });
      await this.#options.pause(limits.commands_rest_ms);
    }
    this.#disarming = false;
  }

  async #ask(message: FromTopic): Promise<void> {
    try {
      this.#options.answer(await this.#options.ask(message));
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      const { code, values } = thrown;
      this.#options.answer(JSON.stringify({ error: { code, message: reason(thrown), values } }));
    }
  }
}

/** Who disarms by this text, `{"disarm": "NAME"}` and nothing else, or null. */
function disarmedBy(text: string): string | null {
  if (!may_disarm.test(text)) return null;
  const { disarm, ...others } = Object(parsed(text)) as { disarm?: unknown };
  const isSaid = typeof disarm === "string" && disarm !== "" && Object.keys(others).length === 0;
  return isSaid ? disarm : null;
}

/** What a text says as JSON; a text that is none stands for itself, and is no command. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    // What was wrong does not matter to whoever asks.
    return thrown instanceof SyntaxError ? text : null;
  }
}
