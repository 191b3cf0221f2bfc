import type { Arena } from "./arena.ts";

/**
 * One int32 that any thread may set and any may read: the disarm latch, the arming number, a turn
 * counter. It has a block, and so a cache line, of its own. What one thread wrote before `set`
 * another sees after a `get` that gave the new value.
 */
export class Word {
  /** Offset in bytes, to tell another thread. */
  readonly at: number;
  protected readonly I: Int32Array;
  protected readonly index: number;

  protected constructor(arena: Arena, at: number) {
    this.at = at;
    this.I = arena.I;
    this.index = at / 4;
  }

  static create(arena: Arena, owner: string): Word {
    return new Word(arena, arena.take(4, owner).at);
  }

  static attach(arena: Arena, at: number): Word {
    return new Word(arena, at);
  }

  get(): number {
    return Atomics.load(this.I, this.index);
  }

  set(value: number): void {
    Atomics.store(this.I, this.index, value);
  }

  /** Adds and gives the new value, modulo 2^32. */
  add(n: number): number {
    return (Atomics.add(this.I, this.index, n) + n) | 0;
  }
}

/**
 * How a role sleeps and is woken. It counts calls, so none is lost between looking for work and
 * falling asleep:
 *
 *     const seen = bell.get();
 *     … work off what there is …
 *     await bell.sleep(seen, timeout_ms);
 */
export class Bell extends Word {
  static override create(arena: Arena, owner: string): Bell {
    return new Bell(arena, arena.take(4, owner).at);
  }

  static override attach(arena: Arena, at: number): Bell {
    return new Bell(arena, at);
  }

  /** Wakes the role, from any thread; what was published before is seen by it. */
  ring(): void {
    Atomics.add(this.I, this.index, 1);
    Atomics.notify(this.I, this.index);
  }

  /**
   * Ends when the bell was rung since `seen`, or after `timeout_ms`; the thread's event loop runs
   * on.
   */
  async sleep(seen: number, timeout_ms: number): Promise<void> {
    const wait = Atomics.waitAsync(this.I, this.index, seen, timeout_ms);
    if (wait.async) await wait.value;
  }

  /** The same for a thread that has no event loop to serve: it stands still meanwhile. */
  stand(seen: number, timeout_ms: number): void {
    Atomics.wait(this.I, this.index, seen, timeout_ms);
  }
}
