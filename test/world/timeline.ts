import { drainMicrotasks } from "bun:jsc";

/** Something that will happen; `off` takes it back. */
export interface Happening {
  readonly at: number;
  off: boolean;
}

interface Entry extends Happening {
  readonly order: number;
  /** Not `then`: what has a `then`, a promise calls. */
  readonly what: () => void;
}

/**
 * Simulated time: what is to happen, in order of time and, at one time, in the order in which it
 * was asked for. Promises are settled before the next thing happens, so that one seed has one
 * course of events.
 */
export class Timeline {
  /** Monotonic ms. */
  now: number;
  happened = 0;
  #order = 0;
  /** A binary heap: the earliest is the first. */
  readonly #heap: Entry[] = [];
  /** Called after each happening: what it left to be noticed. */
  readonly noticed: (() => void)[] = [];

  constructor(start: number) {
    this.now = start;
  }

  at(time: number, what: () => void): Happening {
    const entry: Entry = { at: Math.max(time, this.now), order: this.#order++, off: false, what };
    const heap = this.#heap;
    heap.push(entry);
    let i = heap.length - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!before(entry, heap[parent]!)) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = entry;
    return entry;
  }

  after(ms: number, what: () => void): Happening {
    return this.at(this.now + ms, what);
  }

  run(until: number): void {
    for (let first = this.#heap[0]; first !== undefined && first.at <= until;
      first = this.#heap[0]) {
      this.#pop();
      if (first.off) continue;
      // Work may have taken time: what it delayed happens late.
      this.now = Math.max(this.now, first.at);
      this.happened += 1;
      first.what();
      drainMicrotasks();
      for (const notice of this.noticed) notice();
    }
    this.now = Math.max(this.now, until);
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1;
      if (!before(heap[child]!, last)) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = last;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
