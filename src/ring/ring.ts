import { assert, limits, nextPowerOfTwo } from "../base.ts";
import { Arena, type Block } from "./arena.ts";
import { publishHead, storeClaim } from "./bridge.ts";
import { Column, kindBytes, type ColumnSpec } from "./column.ts";
import { Gaps } from "./gaps.ts";
import { Numbering } from "./numbering.ts";
import type { OpenRow } from "./open-row.ts";

/**
 * What a ring is made of; `bytes` is what it needs of the arena. Plain data: travels to workers.
 */
export interface RingLayout {
  readonly name: string;
  readonly columns: readonly ColumnSpec[];
  /** Power of two. */
  readonly rows: number;
  readonly bytes: number;
}

/** Rows that hold `lag_ms` of a stream with one row every `interval_ms`. */
export function rowsFor(interval_ms: number, lag_ms: number = limits.reader_lag_ms): number {
  const rows = nextPowerOfTwo(Math.ceil(lag_ms / interval_ms));
  return Math.min(limits.ring_rows_max, Math.max(limits.ring_rows_min, rows));
}

const header_bytes = 256;

/** Where each name stands; rings of equal rules have one list of columns. */
const places = new WeakMap<readonly ColumnSpec[], ReadonlyMap<string, number>>();

function placesOf(columns: readonly ColumnSpec[]): ReadonlyMap<string, number> {
  let known = places.get(columns);
  if (known === undefined) {
    known = new Map(columns.map(({ name }, i) => [name, i]));
    places.set(columns, known);
  }
  return known;
}

/**
 * A named, typed ring of rows in one block of an arena:
 *
 *     byte                                                          view
 *        0  head    int32   sequence after the newest row           I     written by the writer
 *        4  claim   int32   sequence after the last row being       I
 *                           written (≥ head, modulo 2^32)
 *        8  stream  int32   stream id                               I
 *       12  epoch   int32                                           I
 *      128  cursor  int32   how far the reader is: of a command     I      written by the reader
 *                           ring this ring's, of a bridge's own
 *                           ring that of the remote ring
 *      256  time    rows × float64   engine time, ms since epoch    F
 *           source  rows × float64   source time, NaN = none        F
 *           column  rows × 8 bytes, or rows × slot bytes            F / U  one after the other
 *           length  rows × int32, for each column with a slot       I
 *           flags   rows × uint8                                    U
 *           state   rows × uint8, for each column                   U
 *
 * Sequences are int32 modulo 2^32, compared as (a − b) | 0. One writer: `claim(n)`, write the cells
 * of rows head … head+n−1, `publish(m)` with m ≤ n. Readers on the same thread use plain loads;
 * readers on another thread come through `bridge.ts`.
 */
export class Ring {
  readonly name: string;
  readonly layout: RingLayout;
  readonly arena: Arena;
  readonly at: number;
  readonly rows: number;
  readonly mask: number;
  /** Not before somebody asks: of the remote ring of a bridge mostly nobody does. */
  #columns: readonly Column[] | null = null;
  /** Names of its rows that outlast this process; kept by the thread that writes the ring. */
  readonly numbering = new Numbering();
  readonly gaps = new Gaps();
  /** Of a stream that is polled: the row under way. */
  open: OpenRow | null = null;
  /** Indices into I. */
  readonly headAt: number;
  readonly claimAt: number;
  readonly cursorAt: number;
  /** Indices into F. */
  readonly timeAt: number;
  readonly sourceAt: number;
  /** Index into U. */
  readonly flagsAt: number;
  /** Bytes at which what all columns have of a kind begins. */
  readonly #payloadsAt: number;
  readonly #lengthsAt: number;
  readonly #statesAt: number;

  private constructor(arena: Arena, at: number, layout: RingLayout) {
    this.name = layout.name;
    this.layout = layout;
    this.arena = arena;
    this.at = at;
    this.rows = layout.rows;
    this.mask = layout.rows - 1;
    this.headAt = at / 4;
    this.claimAt = at / 4 + 1;
    this.cursorAt = (at + 128) / 4;
    let offset = at + header_bytes;
    const place = (bytes: number): number => {
      const here = offset;
      offset += bytes;
      return here;
    };
    this.timeAt = place(layout.rows * 8) / 8;
    this.sourceAt = place(layout.rows * 8) / 8;
    const { columns } = layout;
    this.#payloadsAt = place(layout.rows * columns.reduce((sum, c) => sum + kindBytes(c), 0));
    this.#lengthsAt = place(layout.rows * 4 * columns.filter(({ slot }) => slot > 0).length);
    this.flagsAt = place(layout.rows);
    this.#statesAt = place(layout.rows * columns.length);
    assert(offset - at === layout.bytes, `ring ${layout.name}: layout and offsets agree`);
  }

  get columns(): readonly Column[] {
    return this.#columns ??= this.#placed();
  }

  /** Without the engine's own, whose names begin with `$`: what sinks and the API show. */
  get shown(): readonly Column[] {
    return this.columns.filter((column) => !column.name.startsWith("$"));
  }

  #placed(): readonly Column[] {
    const { layout: { columns }, rows } = this;
    let payloadAt = this.#payloadsAt, lengthAt = this.#lengthsAt;
    return columns.map((spec, i) => {
      const payload = spec.slot === 0 ? payloadAt / 8 : payloadAt;
      const length = spec.slot === 0 ? -1 : lengthAt / 4;
      payloadAt += rows * kindBytes(spec);
      if (spec.slot > 0) lengthAt += rows * 4;
      return new Column(spec, i, payload, length, this.#statesAt + i * rows);
    });
  }

  static layout(name: string, columns: readonly ColumnSpec[], rows: number): RingLayout {
    assert(rows >= 2 && (rows & (rows - 1)) === 0, `ring ${name}: ${rows} rows, no power of two`);
    assert(columns.length <= limits.columns_max, `ring ${name}: ${columns.length} columns`);
    for (const c of columns) assert(c.slot % 8 === 0, `ring ${name}.${c.name}: slot of 8n bytes`);
    const cells = columns.reduce((sum, c) => sum + kindBytes(c) + (c.slot > 0 ? 4 : 0) + 1, 0);
    return { name, columns, rows, bytes: header_bytes + rows * (8 + 8 + 1 + cells) };
  }

  /** A new ring in a block of its own; `block` gives it back. */
  static create(
    arena: Arena, layout: RingLayout, owner = layout.name,
  ): { ring: Ring; block: Block } {
    const block = arena.take(layout.bytes, owner);
    return { ring: new Ring(arena, block.at, layout), block };
  }

  /** A ring that another thread made, at the offset it told. */
  static attach(arena: Arena, at: number, layout: RingLayout): Ring {
    return new Ring(arena, at, layout);
  }

  /** Sequence after the newest row. */
  get head(): number {
    return this.arena.I[this.headAt]!;
  }

  /** The next `n` rows (n ≤ capacity) are going to be written. */
  claim(n: number): void {
    assert(n <= this.rows, "ring: claims more than its capacity");
    storeClaim(this.arena.I, this.claimAt, this.arena.I[this.headAt]!, n);
  }

  /** `n` rows are complete; readers may have them. */
  publish(n: number): void {
    const head = (this.arena.I[this.headAt]! + n) | 0;
    assert(((head - this.arena.I[this.claimAt]!) | 0) <= 0, "ring: publishes what was not claimed");
    publishHead(this.arena.I, this.headAt, head);
  }

  /** Engine time of the oldest row that has begun and is not here yet, Infinity if none has. */
  get openSince(): number {
    return this.open?.since ?? Infinity;
  }

  column(name: string): Column | undefined {
    const index = placesOf(this.layout.columns).get(name);
    return index === undefined ? undefined : this.columns[index];
  }
}
