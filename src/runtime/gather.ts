import { limits } from "../base.ts";
import { copyCell, copyStamp, writeCell, ABSENT, type Column, type Ring } from "../ring.ts";
import type { InputPlan } from "../sql.ts";

export interface Member {
  readonly ring: Ring;
  /** Index of the input that it belongs to. */
  readonly input: number;
  /** Index among all. */
  readonly index: number;
  readonly device: string;
  readonly deviceColumn: Column | undefined;
  readonly pairs: readonly { readonly from: Column; readonly to: Column }[];
  /** Columns of the output that its rows do not have. */
  readonly absent: readonly Column[];
  cursor: number;
  readonly begun: number;
}

/**
 * Many streams as one: a fan-in (`FROM m-*.slow`, with the column `device`), or the streams of a
 * join side by side (with `$from`, and `$N.` before the columns of input N > 0). New rows of all
 * members are copied, oldest first, into one private ring.
 */
export class Gather {
  lost = 0;
  readonly output: Ring;
  readonly members: readonly Member[];
  readonly #from: Column | undefined;
  readonly #memberColumn: Column | undefined;
  readonly #oldest: Column | undefined;

  constructor(inputs: readonly InputPlan[], rings: ReadonlyMap<string, Ring>, output: Ring) {
    this.output = output;
    this.#from = output.column("$from");
    this.#memberColumn = output.column("$member");
    this.#oldest = output.column("$oldest");
    this.members = inputs.flatMap((input) => input.streams.map((name) => ({ input, name })))
      .map(({ input, name }, index) => this.#member(input, rings.get(name)!, index));
  }

  /** True if rows are left. Rows after `until`, engine time, may have to wait for others. */
  step(until: number): boolean {
    for (let n = 0; n < Math.min(limits.rows_per_step_max, this.output.rows / 2); n++) {
      const member = this.#oldestMember(until);
      if (member === null) return false;
      this.output.claim(1);
      this.#copy(member);
      this.output.publish(1);
      member.cursor = (member.cursor + 1) | 0;
    }
    return true;
  }

  #member({ index: input, fanIn, columns }: InputPlan, ring: Ring, index: number): Member {
    const named = (name: string): Column | undefined =>
      this.output.column(input === 0 || name === "$oldest" ? name : `$${input}.${name}`);
    const deviceColumn = fanIn ? named("device") : undefined;
    const pairs = columns.flatMap(({ name }) => {
      const to = named(name);
      return to === undefined || to === deviceColumn ? [] : [{ from: ring.column(name)!, to }];
    });
    const mine = new Set(
      [this.#from, this.#memberColumn, deviceColumn, ...pairs.map(({ to }) => to)]);
    return {
      ring, input, index, deviceColumn, pairs, cursor: ring.head, begun: ring.head,
      device: ring.name.slice(0, Math.max(0, ring.name.lastIndexOf("."))),
      absent: this.output.columns.filter((column) => !mine.has(column)),
    };
  }

  #oldestMember(until: number): Member | null {
    let oldest: Member | null = null;
    let least = Infinity;
    for (const member of this.members) {
      const { ring } = member;
      const lag = (ring.head - member.cursor) | 0;
      // Less than 0: a replay has not come up to where it was.
      if (lag <= 0) continue;
      if (lag > ring.rows) {
        this.lost += lag - ring.rows;
        member.cursor = (ring.head - ring.rows) | 0;
      }
      const time = ring.arena.F[ring.timeAt + (member.cursor & ring.mask)]!;
      if (time < least && time <= until) [oldest, least] = [member, time];
    }
    return oldest;
  }

  #copy({ ring, cursor, input, index, device, deviceColumn, pairs, absent }: Member): void {
    const to = this.output;
    const seq = to.head, w = seq & to.mask;
    copyStamp(ring, cursor, to, seq);
    for (const pair of pairs) copyCell(ring, pair.from, cursor, to, pair.to, seq);
    for (const column of absent) to.arena.U[column.state + w] = ABSENT;
    if (deviceColumn !== undefined) writeCell(to, deviceColumn, seq, device);
    this.#number(this.#from, w, input);
    this.#number(this.#memberColumn, w, index);
    // A stream that carries no age is as old as its rows.
    if (this.#oldest !== undefined && absent.includes(this.#oldest)) {
      to.arena.F[this.#oldest.payload + w] = to.arena.F[to.timeAt + w]!;
      to.arena.U[this.#oldest.state + w] = 0;
    }
  }

  #number(column: Column | undefined, w: number, value: number): void {
    if (column === undefined) return;
    const { F, U } = this.output.arena;
    F[column.payload + w] = value;
    U[column.state + w] = 0;
  }
}
