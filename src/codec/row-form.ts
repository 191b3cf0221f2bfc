import {
  ABSENT, type Column, type Dyn, DynWriter, ERROR, meta_name, NULL, type Ring, stateName,
  UNCERTAIN, UNCERTAIN_MAX, writeCell,
} from "../ring.ts";
import type { TimeText } from "./time-text.ts";

interface Default {
  readonly column: Column;
  /** A text as its bytes: nothing is made for a row. */
  readonly value: bigint | number | boolean | Uint8Array;
}

const two32 = 2 ** 32;
const encoder = new TextEncoder();

/**
 * What a source demands of a row beside its single values: its source time, defaults for what a
 * message does not have, and, if it is strict, that every value is there and right.
 */
export class RowForm {
  /** Rows that a strict source has refused. */
  refused = 0;
  /** What the message says of itself. */
  about: Dyn = null;
  /** The column for that: no field of the message has its name. */
  readonly #meta: Column | null;
  readonly #writer = new DynWriter();
  readonly #ring: Ring;
  readonly #time: Column | null;
  readonly #times: TimeText;
  readonly #strict: boolean;
  readonly #defaults: readonly Default[];
  /** What a strict source must have in every row: what is declared. */
  readonly #demanded: readonly Column[];
  /** Why the newest was refused: the column, and its state then. */
  #column: Column | null = null;
  #state = 0;

  constructor(ring: Ring, timeColumn: string | null, times: TimeText, strict: boolean) {
    this.#ring = ring;
    this.#meta = ring.column(meta_name) ?? null;
    this.#time = timeColumn === null ? null : ring.column(timeColumn) ?? null;
    this.#times = times;
    this.#strict = strict;
    this.#demanded = ring.columns.filter(({ kind, shape, path }) =>
      path.length > 0 && (kind !== "dyn" || shape !== null));
    this.#defaults = ring.columns.filter(({ fallback }) => fallback !== null)
      .map((column) => ({ column, value: defaultOf(column) }));
  }

  begin(row: number): void {
    const { columns, arena } = this.#ring;
    for (let i = 0; i < columns.length; i++) arena.U[columns[i]!.state + row] = ABSENT;
  }

  /** Completes row `seq`, whose cells of `state` were understood; false: it is refused. */
  end(seq: number, time: number, state: number, flags: number): boolean {
    const ring = this.#ring;
    const { F, U } = ring.arena;
    const row = seq & ring.mask;
    for (let i = 0; i < this.#defaults.length; i++) {
      const { column, value } = this.#defaults[i]!;
      // Nobody has measured it: a machine is not written from it.
      if (U[column.state + row] === ABSENT) {
        writeCell(ring, column, seq, value, UNCERTAIN.substituted);
      }
    }
    if (this.#meta !== null && this.about !== null) this.#tell(this.#meta, row, state);
    F[ring.timeAt + row] = time;
    U[ring.flagsAt + row] = flags;
    F[ring.sourceAt + row] = this.#sourceTime(row, state);
    return !this.#strict || this.#complete(row);
  }

  #tell(column: Column, row: number, state: number): void {
    const { I, U } = this.#ring.arena;
    const at = column.payload + row * column.stride;
    const length = this.#writer.write(U, at, column.slot, this.about);
    I[column.length + row] = Math.max(0, length);
    U[column.state + row] = length < 0 ? ERROR.length : state;
  }

  /** A sentence about the newest that was refused. */
  get refusal(): string {
    const column = this.#column;
    return column === null ? "" : this.#state <= UNCERTAIN_MAX
      ? `row refused: ${column.name} is no time`
      : `row refused: ${column.name} is ${stateName(this.#state)}`;
  }

  #sourceTime(row: number, state: number): number {
    const column = this.#time;
    const { F, I, U } = this.#ring.arena;
    if (column === null || U[column.state + row] !== state) return NaN;
    if (column.kind === "int64") {
      const word = (column.payload + row) * 2;
      return I[word + 1]! * two32 + (I[word]! >>> 0);
    }
    if (column.kind !== "text") return F[column.payload + row]!;
    const from = column.payload + row * column.stride;
    return this.#times.read(U, from, from + I[column.length + row]!);
  }

  #complete(row: number): boolean {
    const { arena: { F, U }, sourceAt } = this.#ring;
    for (let i = 0; i < this.#demanded.length; i++) {
      const column = this.#demanded[i]!;
      const state = U[column.state + row]!;
      // An array or object may be NULL as a whole.
      const there = state <= UNCERTAIN_MAX || (state === NULL && column.kind === "dyn");
      if (!there) return this.#refuse(column, state);
    }
    if (this.#time === null || F[sourceAt + row]! === F[sourceAt + row]!) return true;
    return this.#refuse(this.#time, U[this.#time.state + row]!);
  }

  #refuse(column: Column, state: number): boolean {
    this.refused++;
    this.#column = column;
    this.#state = state;
    return false;
  }
}

function defaultOf({ kind, fallback }: Column): Default["value"] {
  if (kind === "int64") {
    const whole = BigInt(fallback!);
    return Number.isSafeInteger(Number(whole)) ? Number(whole) : whole;
  }
  return typeof fallback === "string" ? encoder.encode(fallback) : fallback!;
}
