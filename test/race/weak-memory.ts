/**
 * A model of memory as weak as the bridge may assume: one total order of all accesses (ARMv8 is
 * multi-copy atomic), in which a thread's own accesses keep their program order only
 *
 *     acquire → everything later · everything earlier → release · release → acquire later
 *     two accesses of one place (but a load may be served by the thread's own unseen store)
 *
 * and nothing else: no data, address or control dependency orders anything.
 *
 * The code under test runs as it is, over recording views. The *scribe* (the writer) runs first:
 * its events depend on the other thread only where it loads what that thread stores, and there
 * every value is guessed. Each order of its events that the rules allow is then a time line for the
 * *seer* (the reader), which runs step by step; each of its loads tries every version of the place
 * that it may still see. An earlier time binds later accesses less than a later one, so the
 * earliest time of each version stands for all. Guesses are compared with what the seer stored, and
 * when.
 */
export type Order = "plain" | "acquire" | "release";

export interface Event {
  readonly kind: "load" | "store";
  /** Byte offset in the shared arena. */
  readonly place: number;
  readonly value: number;
  readonly order: Order;
  /** A load of what the other thread stores: `value` is a guess. */
  readonly guess: boolean;
}

interface Thread {
  load(place: number, order: Order): number;
  store(place: number, value: number, order: Order): void;
  /** A barrier at a place that no other thread knows. */
  mark(order: Order): void;
}

/** Walks all sequences of choices, depth first. */
class Choices {
  #path: { taken: number; of: number }[] = [];
  #at = 0;

  take(of: number): number {
    if (this.#at === this.#path.length) this.#path.push({ taken: 0, of });
    return this.#path[this.#at++]!.taken;
  }

  /** Prepares the next sequence; false = that was the last. */
  next(): boolean {
    this.#at = 0;
    while (this.#path.length > 0) {
      const last = this.#path.at(-1)!;
      if (++last.taken < last.of) return true;
      this.#path.pop();
    }
    return false;
  }
}

interface Views {
  F: Float64Array;
  I: Int32Array;
  U: Uint8Array;
}

/** Hands out views that record, and an `Atomics` that does. */
export class Recorder {
  thread: Thread | null = null;
  readonly #recorded = new Set<object>();

  /** The same memory, seen through recording views. */
  watch(views: Views): Views {
    return { F: this.#proxy(views.F), I: this.#proxy(views.I), U: this.#proxy(views.U) };
  }

  #proxy<T extends Float64Array | Int32Array | Uint8Array>(view: T): T {
    const unit = view.BYTES_PER_ELEMENT;
    const proxy = new Proxy(view, {
      get: (target, key) => {
        const index = Number(key as string);
        return this.thread ? this.thread.load(index * unit, "plain") : target[index];
      },
      set: (target, key, value) => {
        const index = Number(key as string);
        if (this.thread) this.thread.store(index * unit, value, "plain");
        else target[index] = value;
        return true;
      },
    });
    this.#recorded.add(proxy);
    return proxy;
  }

  readonly atomics = {
    load: (I: Int32Array, index: number): number => {
      if (this.thread && this.#recorded.has(I)) return this.thread.load(index * 4, "acquire");
      this.thread?.mark("acquire");
      return I[index]!;
    },
    store: (I: Int32Array, index: number, value: number): number => {
      if (this.thread && this.#recorded.has(I)) this.thread.store(index * 4, value, "release");
      else {
        this.thread?.mark("release");
        I[index] = value;
      }
      return value;
    },
  };
}

/** A thread whose events are written down in program order. */
class Scribe implements Thread {
  readonly events: Event[] = [];
  readonly #memory: Map<number, number>;
  readonly #guesses: ReadonlyMap<number, readonly number[]>;
  readonly #choices: Choices;
  readonly #guessed = new Map<number, number>();

  constructor(
    memory: ReadonlyMap<number, number>, guesses: ReadonlyMap<number, readonly number[]>,
    choices: Choices,
  ) {
    this.#memory = new Map(memory);
    this.#guesses = guesses;
    this.#choices = choices;
  }

  load(place: number, order: Order): number {
    const values = this.#guesses.get(place);
    let value = this.#memory.get(place) ?? 0;
    if (values !== undefined) {
      // One place never runs backwards: guesses go on from the last one.
      const from = this.#guessed.get(place) ?? 0;
      const index = from + this.#choices.take(values.length - from);
      this.#guessed.set(place, index);
      value = values[index]!;
    }
    this.events.push({ kind: "load", place, value, order, guess: values !== undefined });
    return value;
  }

  store(place: number, value: number, order: Order): void {
    this.#memory.set(place, value);
    this.events.push({ kind: "store", place, value, order, guess: false });
  }

  mark(order: Order): void {
    this.events.push({ kind: "load", place: -1, value: 0, order, guess: false });
  }
}

/** Whether the rules keep `a` before `b`, which comes later in the program. */
function kept(a: Event, b: Event): boolean {
  if (a.order === "acquire" || b.order === "release") return true;
  if (a.order === "release" && b.order === "acquire") return true;
  return a.place === b.place && a.place >= 0 && !(a.kind === "store" && b.kind === "load");
}

/** All orders of the events that another thread can tell apart: stores, and loads of guesses. */
function* orders(events: readonly Event[]): Generator<Event[]> {
  const before = events.map(() => 0n);
  for (let j = 0; j < events.length; j++) {
    for (let i = 0; i < j; i++) {
      if (kept(events[i]!, events[j]!)) before[j]! |= before[i]! | (1n << BigInt(i));
    }
  }
  const visible = events.flatMap((e, i) => (e.kind === "store" || e.guess ? [i] : []));
  const mask = visible.reduce((bits, i) => bits | (1n << BigInt(i)), 0n);
  const order: Event[] = [];
  function* extend(done: bigint): Generator<Event[]> {
    if (order.length === visible.length) yield [...order];
    for (const i of visible) {
      const bit = 1n << BigInt(i);
      if ((done & bit) !== 0n || (before[i]! & mask & ~done) !== 0n) continue;
      order.push(events[i]!);
      yield* extend(done | bit);
      order.pop();
    }
  }
  yield* extend(0n);
}

/** What a thread's earlier accesses forbid its later ones; times count events of the time line. */
interface Bounds {
  acquired: number;
  released: number;
  latest: number;
  readonly seen: Map<number, number>;
  /** What the seer itself stored last, by place. */
  readonly own: Map<number, number>;
}

/** The guesses of this time line cannot come true on this path. */
class Impossible extends Error {}

/** A thread that chooses, at each load, among the versions it may see. */
class Seer implements Thread {
  readonly bounds: Bounds;
  readonly #initial: ReadonlyMap<number, number>;
  readonly #line: readonly Event[];
  readonly #choices: Choices;

  constructor(
    initial: ReadonlyMap<number, number>, line: readonly Event[], bounds: Bounds, choices: Choices,
  ) {
    this.#initial = initial;
    this.#line = line;
    this.bounds = { ...bounds, seen: new Map(bounds.seen), own: new Map(bounds.own) };
    this.#choices = choices;
  }

  load(place: number, order: Order): number {
    const b = this.bounds;
    const own = b.own.get(place);
    if (own !== undefined) return own;
    let least = Math.max(b.acquired, b.seen.get(place) ?? 0);
    if (order === "acquire") least = Math.max(least, b.released);
    let value = this.#initial.get(place) ?? 0;
    const versions: { time: number; value: number }[] = [];
    for (let i = 0; i < this.#line.length; i++) {
      const event = this.#line[i]!;
      if (event.kind !== "store" || event.place !== place) continue;
      if (i >= least) versions.push({ time: i + 1, value: event.value });
      else value = event.value;
    }
    versions.unshift({ time: least, value });
    const { time, value: seen } = versions[this.#choices.take(versions.length)]!;
    b.seen.set(place, time);
    b.latest = Math.max(b.latest, time);
    if (order === "acquire") b.acquired = Math.max(b.acquired, time);
    return seen;
  }

  store(place: number, value: number, order: Order): void {
    const b = this.bounds;
    // Seers that store nothing anybody loads cannot disturb each other: one at a time is enough.
    if (!b.own.has(place)) throw new Error(`the reader stores to shared place ${place}`);
    let time = Math.max(b.acquired, b.seen.get(place) ?? 0);
    if (order === "release") time = Math.max(time, b.latest);
    // Before every load that saw this value, after every load that still saw the one before.
    let before = Infinity;
    this.#line.forEach((event, i) => {
      if (!event.guess || event.place !== place) return;
      if (((event.value - value) | 0) >= 0) before = Math.min(before, i);
      else time = Math.max(time, i + 1);
    });
    if (time > before) throw new Impossible();
    b.own.set(place, value);
    b.seen.set(place, time);
    b.latest = Math.max(b.latest, time);
    if (order === "release") b.released = Math.max(b.released, time);
  }

  mark(order: Order): void {
    const b = this.bounds;
    if (order === "release") b.released = Math.max(b.released, b.latest, b.acquired);
    else if (order === "acquire") b.acquired = Math.max(b.acquired, b.released);
  }

  /** True if nothing guessed of `place` is still to come. */
  fulfilled(): boolean {
    return this.#line.every((e) =>
      !e.guess || ((e.value - (this.bounds.own.get(e.place) ?? 0)) | 0) <= 0);
  }
}

function keyOf(state: number, b: Bounds): string {
  // What is already forbidden by the last acquire forbids nothing more.
  const seen = [...b.seen].filter(([, time]) => time > b.acquired).sort((x, y) => x[0] - y[0]);
  const released = Math.max(b.released, b.acquired);
  const latest = Math.max(b.latest, b.acquired);
  return `${state} ${b.acquired} ${released} ${latest} ${seen} ${[...b.own.values()]}`;
}

export interface Scenario {
  readonly recorder: Recorder;
  /** What stands in memory before, by place; missing is 0. */
  readonly initial: ReadonlyMap<number, number>;
  /** Places that the seer stores to and the scribe loads: the values they take, in order. */
  readonly guesses: ReadonlyMap<number, readonly number[]>;
  scribe(): void;
  /** The seer's state before its first step: a sequence number. */
  readonly start: number;
  readonly end: number;
  /**
   * One step: `run` is to be called around the code under test. Gives the state and what is wrong.
   */
  seer(state: number, run: <T>(code: () => T) => T): { state: number; wrong: string | null };
}

export interface Verdict {
  /** The first thing found wrong, or null. */
  readonly wrong: string | null;
  readonly orders: number;
  readonly steps: number;
  /** True if some path came to the end with all guesses come true. */
  readonly ended: boolean;
}

/** Tries every time line of the scribe and every path of the seer through it. */
export function explore(scenario: Scenario): Verdict {
  let count = 0, steps = 0, ended = false;
  const traces = new Choices();
  do {
    const scribe = new Scribe(scenario.initial, scenario.guesses, traces);
    scenario.recorder.thread = scribe;
    scenario.scribe();
    scenario.recorder.thread = null;
    for (const line of orders(scribe.events)) {
      count++;
      const found = follow(scenario, line);
      steps += found.steps;
      ended ||= found.ended;
      if (found.wrong) return { wrong: found.wrong, orders: count, steps, ended };
    }
  } while (traces.next());
  return { wrong: null, orders: count, steps, ended };
}

function follow(scenario: Scenario, line: readonly Event[]): Omit<Verdict, "orders"> {
  let steps = 0, ended = false;
  const own = new Map([...scenario.guesses].map(([place]) =>
    [place, scenario.initial.get(place) ?? 0] as const));
  const first: Bounds = { acquired: 0, released: 0, latest: 0, seen: new Map(), own };
  const known = new Set([keyOf(scenario.start, first)]);
  const waiting = [{ state: scenario.start, bounds: first }];
  for (let here = waiting.pop(); here; here = waiting.pop()) {
    const choices = new Choices();
    do {
      steps++;
      const seer = new Seer(scenario.initial, line, here.bounds, choices);
      const run = <T>(code: () => T): T => {
        scenario.recorder.thread = seer;
        try {
          return code();
        } finally {
          scenario.recorder.thread = null;
        }
      };
      let after;
      try {
        after = scenario.seer(here.state, run);
      } catch (thrown) {
        if (thrown instanceof Impossible) continue;
        throw thrown;
      }
      if (after.wrong && seer.fulfilled()) return { wrong: after.wrong, steps, ended };
      if (after.state === scenario.end) {
        ended ||= seer.fulfilled();
        continue;
      }
      const key = keyOf(after.state, seer.bounds);
      if (known.has(key)) continue;
      known.add(key);
      waiting.push({ state: after.state, bounds: seer.bounds });
    } while (choices.next());
  }
  return { wrong: null, steps, ended };
}
