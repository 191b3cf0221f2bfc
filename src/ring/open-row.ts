import type { Arena } from "./arena.ts";

/**
 * The row of a stream that has begun and is not there yet: a poll under way. Its time is that of
 * its begin, so until it is there nobody may take that time for over. A block of its own:
 *
 *     byte                                                               view
 *        0  begun  int32    sequence after the newest row that began     I   by whoever polls
 *        4  done   int32    up to which rows are there for readers       I   by the ring's writer
 *        8  since  float64  engine time of the newest that began         F   by whoever polls
 *
 * Any thread may ask. No row that it is not told of can have a time before it asked:
 *
 *     poller  store begun → load begun → read clock → since ────→ rows → store head → store done
 *     reader  read clock ─→ load begun → load done ─→ since ────→ load begun again → load head
 *
 * A poller that the reader has missed reads its clock after the reader did.
 */
export class OpenRow {
  readonly arena: Arena;
  /** Offset in bytes, to tell another thread. */
  readonly at: number;
  readonly #I: Int32Array;
  readonly #F: Float64Array;
  readonly #begunAt: number;
  readonly #doneAt: number;
  readonly #sinceAt: number;

  private constructor(arena: Arena, at: number) {
    this.arena = arena;
    this.at = at;
    this.#I = arena.I;
    this.#F = arena.F;
    this.#begunAt = at / 4;
    this.#doneAt = at / 4 + 1;
    this.#sinceAt = at / 8 + 1;
  }

  static create(arena: Arena, owner: string): OpenRow {
    return new OpenRow(arena, arena.take(open_row_bytes, owner).at);
  }

  static attach(arena: Arena, at: number): OpenRow {
    return new OpenRow(arena, at);
  }

  /** Row `seq` begins; its time. */
  begin(seq: number, clock: () => number): number {
    Atomics.store(this.#I, this.#begunAt, (seq + 1) | 0);
    Atomics.load(this.#I, this.#begunAt);
    const time = clock();
    this.#F[this.#sinceAt] = time;
    return time;
  }

  /** All rows before `seq` are there. */
  end(seq: number): void {
    Atomics.store(this.#I, this.#doneAt, seq);
  }

  /** None is under way: another poller begins to count at `seq`. */
  reset(seq: number): void {
    Atomics.store(this.#I, this.#begunAt, seq);
    Atomics.store(this.#I, this.#doneAt, seq);
  }

  /**
   * Engine time of the row that is under way, Infinity if none is. −Infinity: more than one is, or
   * another began meanwhile; their writer has its next turn at once.
   */
  get since(): number {
    const begun = Atomics.load(this.#I, this.#begunAt);
    const left = (begun - Atomics.load(this.#I, this.#doneAt)) | 0;
    if (left === 0) return Infinity;
    const since = this.#F[this.#sinceAt]!;
    // Not a load: what was read before it may not be looked at after it.
    const isSame = Atomics.add(this.#I, this.#begunAt, 0) === begun;
    return left === 1 && isSame ? since : -Infinity;
  }
}

export const open_row_bytes = 16;
