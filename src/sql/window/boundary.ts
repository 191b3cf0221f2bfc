import { assert } from "../../base.ts";
import type { Column } from "../../ring.ts";
import type { KeptWindow } from "../program.ts";
import type { Span } from "./span.ts";

/** When windows over kept rows close. What must be remembered is in the span's words. */
export interface Boundary {
  /**
   * Closes one window that ends by `time`, the clock's or that of the next row: true = `span` says
   * which. To be asked again then.
   */
  due(time: number, row: boolean): boolean;
  /** Takes row `next` in, whose time this is; true = that closed a window. */
  row(time: number): boolean;
  /** Takes rows in as long as they close nothing, if that can be told by their times alone. */
  pass?(): void;
}

export function boundaryOf(window: KeptWindow, span: Span): Boundary {
  const column = (name: "$when" | "$begin" | "$emit"): Column => {
    const found = span.ring.column(name);
    assert(found !== undefined, `a window keeps no column ${name}`);
    return found;
  };
  switch (window.kind) {
    case "tumbling": return new Hopping(span, window.length_ms, window.length_ms);
    case "hopping": return new Hopping(span, window.length_ms, window.hop_ms);
    case "count": return new Counted(span, window.rows, window.every);
    case "sliding": {
      const when = window.conditional ? column("$when") : null;
      return new Sliding(span, window, when);
    }
    case "session": return new Session(span, window.most_ms, window.timeout_ms);
    case "state": return new Stated(span, column("$begin"), window.single ? null : column("$emit"));
  }
}

/** [end − length, end), end being each multiple of the hop. */
class Hopping implements Boundary {
  readonly #span: Span;
  readonly #length: number;
  readonly #hop: number;

  constructor(span: Span, length: number, hop: number) {
    this.#span = span;
    this.#length = length;
    this.#hop = hop;
  }

  due(time: number): boolean {
    const span = this.#span;
    while (!span.empty && time >= span.closes) {
      const end = span.closes;
      span.release(end - this.#length);
      const closed = !span.empty;
      if (closed) span.close(span.first, span.next, end - this.#length, end);
      span.closes = end + this.#hop;
      span.release(span.closes - this.#length);
      if (span.empty) span.closes = Infinity;
      if (closed) return true;
    }
    return false;
  }

  row(time: number): boolean {
    const span = this.#span;
    if (span.empty) span.closes = (Math.floor(time / this.#hop) + 1) * this.#hop;
    span.take();
    return false;
  }

  pass(): void {
    if (!this.#span.empty) this.#span.takeBefore(this.#span.closes);
  }
}

/** The newest `rows`, each time that `every` more have come. `mark`: rows that came. */
class Counted implements Boundary {
  readonly #span: Span;
  readonly #rows: number;
  readonly #every: number;

  constructor(span: Span, rows: number, every: number) {
    this.#span = span;
    this.#rows = rows;
    this.#every = every;
  }

  due(_time: number): boolean {
    return false;
  }

  row(time: number): boolean {
    const span = this.#span;
    span.take();
    span.mark += 1;
    if (span.mark < this.#rows) return false;
    span.mark = this.#rows - this.#every;
    span.close(span.first, span.next, span.timeOf(span.first), time);
    span.first = (span.first + this.#every) | 0;
    return true;
  }
}

/**
 * [time − length, time] of each row, or of those where the condition holds; with a delay it closes
 * so much later and is [time − length, time + delay). `whole`, by event time: rows of that time
 * which are still to come are in it, so it closes with the watermark. `mark`: oldest row that may
 * still close one.
 */
class Sliding implements Boundary {
  readonly #span: Span;
  readonly #length: number;
  readonly #delay: number;
  readonly #waits: boolean;
  readonly #when: Column | null;

  constructor(
    span: Span, { length_ms, delay_ms, whole }: KeptWindow & { kind: "sliding" },
    when: Column | null,
  ) {
    this.#span = span;
    this.#length = length_ms;
    this.#delay = delay_ms;
    this.#waits = delay_ms > 0 || whole;
    this.#when = when;
  }


  due(time: number, row: boolean): boolean {
    const span = this.#span;
    // Of event time a row of the same time says that there are more of them.
    if (time < span.closes || (row && this.#delay === 0 && time === span.closes)) return false;
    const trigger = span.timeOf(span.mark);
    span.release(trigger - this.#length);
    span.close(span.first, span.next, trigger - this.#length, trigger + this.#delay);
    span.mark = (span.mark + 1) | 0;
    this.#wait();
    return true;
  }

  row(time: number): boolean {
    const span = this.#span;
    span.take();
    if (this.#waits) {
      this.#wait();
      if (span.closes === Infinity) span.release(time - this.#length);
      return false;
    }
    span.release(time - this.#length);
    if (!this.#triggers((span.next - 1) | 0)) return false;
    span.close(span.first, span.next, time - this.#length, time);
    return true;
  }

  #triggers(seq: number): boolean {
    return this.#when === null || this.#span.holds(this.#when, seq);
  }

  /** Finds the row that closes the next window. */
  #wait(): void {
    const span = this.#span;
    let seq = span.mark | 0;
    // A full ring may have pushed out rows that had still to close one.
    if (((seq - span.first) | 0) < 0) seq = span.first;
    while (seq !== span.next && !this.#triggers(seq)) seq = (seq + 1) | 0;
    span.mark = seq;
    span.closes = seq === span.next ? Infinity : span.timeOf(seq) + this.#delay;
  }
}

/**
 * Rows without a pause of `timeout` between two; also cut at the first multiple of `most` at which
 * the first row is that old. `mark`: time of the first row.
 */
class Session implements Boundary {
  readonly #span: Span;
  readonly #most: number;
  readonly #timeout: number;

  constructor(span: Span, most: number, timeout: number) {
    this.#span = span;
    this.#most = most;
    this.#timeout = timeout;
  }

  due(time: number): boolean {
    const span = this.#span;
    if (span.empty || time < span.closes) return false;
    span.close(span.first, span.next, span.mark, span.closes);
    span.first = span.next;
    span.closes = Infinity;
    return true;
  }

  row(time: number): boolean {
    const span = this.#span;
    if (span.empty) span.mark = time;
    span.take();
    const tick = Math.ceil((span.mark + this.#most) / this.#most) * this.#most;
    span.closes = Math.min(time + this.#timeout, tick);
    return false;
  }
}

/**
 * From a row where `begin` holds to the next where `emit` does, both in. Without `emit` each row
 * where `begin` holds closes a window before it and opens the next. `mark`: 1 = a row before the
 * window may have begun it, and none since would have closed it.
 */
class Stated implements Boundary {
  readonly #span: Span;
  readonly #begin: Column;
  readonly #emit: Column | null;

  constructor(span: Span, begin: Column, emit: Column | null) {
    this.#span = span;
    this.#begin = begin;
    this.#emit = emit;
  }

  due(_time: number): boolean {
    return false;
  }

  row(time: number): boolean {
    const span = this.#span;
    const row = span.next;
    const open = !span.empty;
    const begins = (this.#emit === null || !open) && span.holds(this.#begin, row);
    const before = span.first;
    span.take();
    if (!open && !begins) {
      span.first = span.next;
      this.#leave(row);
      return false;
    }
    if (this.#emit === null) {
      if (!begins || !open) return false;
      span.close(before, row, span.timeOf(before), time);
      span.first = row;
      return true;
    }
    if (!span.holds(this.#emit, row)) return false;
    span.close(before, span.next, span.timeOf(before), time);
    span.first = span.next;
    return true;
  }

  /** A row that is in no window. */
  #leave(row: number): void {
    if (this.#emit === null) return;
    if (this.#span.holds(this.#emit, row)) this.#span.mark = 0;
    else if (this.#span.doubts(this.#begin, row)) this.#span.mark = 1;
  }
}
