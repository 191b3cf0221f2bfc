import { limits } from "../base.ts";
import { ABSENT, type Column, copyCells, copyStamps, type Ring, writeCell } from "../ring.ts";
import type { InputPlan } from "../sql.ts";

export interface Member {
  readonly ring: Ring;
  /** Index of the input that it belongs to. */
  readonly input: number;
  /** Index among all. */
  readonly index: number;
  /** Its name as a cell has it, so that no row makes it anew. */
  readonly device: Uint8Array;
  readonly deviceColumn: Column | undefined;
  /** Columns that are copied, and where each goes. */
  readonly sources: readonly Column[];
  readonly targets: readonly Column[];
  /** Columns of the output that its rows do not have. */
  readonly absent: readonly Column[];
  cursor: number;
  readonly begun: number;
  /** Of the gaps of its ring. */
  seen: number;
  /** Of the row at the cursor, Infinity = there is none. */
  time: number;
  /** Rows taken in this step, and where the first of them stands in `places`. */
  taken: number;
  first: number;
}

/** Of the rows of one step: the index of the member that each is from. */
const order = new Int32Array(limits.rows_per_step_max);
/** Of one member: the rows that are taken. */
const rows = new Int32Array(limits.rows_per_step_max);
/** Where each goes in the output, member by member. */
const places = new Int32Array(limits.rows_per_step_max);

/**
 * Many streams as one: a fan-in (`FROM m-*.slow`, with the column `device`), or the streams of a
 * join side by side (with `$from`, and `$N.` before the columns of input N > 0). New rows of all
 * members are copied, oldest first, into one private ring.
 */
export class Gather {
  lost = 0;
  /** Rows are there that have to wait for earlier ones. */
  waits = false;
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
    const most = Math.min(limits.rows_per_step_max, this.output.rows / 2);
    this.#tellGaps();
    for (const member of this.members) this.#look(member);
    const n = this.#order(until, most);
    if (n === 0) return false;
    this.#place(n);
    this.output.claim(n);
    for (const member of this.members) if (member.taken > 0) this.#copy(member);
    this.output.publish(n);
    return n === most;
  }

  #member({ index: input, fanIn, columns }: InputPlan, ring: Ring, index: number): Member {
    const named = (name: string): Column | undefined =>
      this.output.column(input === 0 || name === "$oldest" ? name : `$${input}.${name}`);
    const deviceColumn = fanIn ? named("device") : undefined;
    const copied = columns.map(({ name }) => name).filter((name) =>
      ![undefined, deviceColumn].includes(named(name)));
    const targets = copied.map((name) => named(name)!);
    const mine = new Set(
      [this.#from, this.#memberColumn, deviceColumn, ...targets]);
    return {
      ring, input, index, deviceColumn, targets, cursor: ring.head, begun: ring.head,
      seen: ring.gaps.count,
      sources: copied.map((name) => ring.column(name)!),
      device: new TextEncoder().encode(
        ring.name.slice(0, Math.max(0, ring.name.lastIndexOf(".")))),
      absent: this.output.columns.filter((column) => !mine.has(column)),
      time: Infinity, taken: 0, first: 0,
    };
  }

  /** Rows that were overwritten are lost. */
  #look(member: Member): void {
    const { ring } = member;
    const lag = (ring.head - member.cursor) | 0;
    if (lag > ring.rows) {
      this.lost += lag - ring.rows;
      member.cursor = (ring.head - ring.rows) | 0;
      this.output.gaps.close(timeAt(member, member.cursor));
    }
    member.taken = 0;
    member.time = timeAt(member, member.cursor);
  }

  /** What the members lack, what is gathered lacks too. */
  #tellGaps(): void {
    const { gaps } = this.output;
    let isOpen = false, upTo = -Infinity;
    for (const member of this.members) {
      const { gaps: own } = member.ring;
      if (own.upTo === Infinity) isOpen = true;
      else if (own.count !== member.seen) upTo = Math.max(upTo, own.upTo);
      member.seen = own.count;
    }
    if (isOpen) gaps.open();
    else if (upTo !== -Infinity) gaps.close(upTo);
  }

  /** Takes rows of all members, the oldest first; how many. */
  #order(until: number, most: number): number {
    const { members } = this;
    this.waits = false;
    for (let n = 0; n < most; n++) {
      let oldest = members[0]!;
      for (let i = 1; i < members.length; i++) {
        if (members[i]!.time < oldest.time) oldest = members[i]!;
      }
      if (oldest.time === Infinity || oldest.time > until) {
        this.waits = oldest.time !== Infinity;
        return n;
      }
      order[n] = oldest.index;
      oldest.taken += 1;
      oldest.time = timeAt(oldest, (oldest.cursor + oldest.taken) | 0);
    }
    return most;
  }

  #place(n: number): void {
    const { members, output: { head, mask } } = this;
    let first = 0;
    for (const member of members) {
      member.first = first;
      first += member.taken;
    }
    for (let i = 0; i < n; i++) places[members[order[i]!]!.first++] = (head + i) & mask;
    for (const member of members) member.first -= member.taken;
  }

  /** Column by column, so that each loop does one thing. */
  #copy(member: Member): void {
    const { ring, cursor, taken, first, sources, targets, absent, deviceColumn } = member;
    const to = this.output;
    const { F, U } = to.arena;
    for (let i = 0; i < taken; i++) rows[i] = (cursor + i) & ring.mask;
    copyStamps(ring, rows, to, places, first, taken);
    for (let i = 0; i < sources.length; i++) {
      copyCells(ring, sources[i]!, rows, to, targets[i]!, places, first, taken);
    }
    for (const { state } of absent) {
      for (let i = 0; i < taken; i++) U[state + places[first + i]!] = ABSENT;
    }
    if (deviceColumn !== undefined) {
      for (let i = 0; i < taken; i++) {
        writeCell(to, deviceColumn, places[first + i]!, member.device);
      }
    }
    this.#number(this.#from, member, member.input);
    this.#number(this.#memberColumn, member, member.index);
    // A stream that carries no age is as old as its rows.
    const age = this.#oldest;
    if (age !== undefined && absent.includes(age)) {
      for (let i = 0; i < taken; i++) {
        const w = places[first + i]!;
        F[age.payload + w] = F[to.timeAt + w]!;
        U[age.state + w] = 0;
      }
    }
    member.cursor = (cursor + taken) | 0;
  }

  #number(column: Column | undefined, { first, taken }: Member, value: number): void {
    if (column === undefined) return;
    const { F, U } = this.output.arena;
    for (let i = 0; i < taken; i++) {
      F[column.payload + places[first + i]!] = value;
      U[column.state + places[first + i]!] = 0;
    }
  }
}

/** Infinity if the row has not come; less than 0: a replay has not come up to where it was. */
function timeAt({ ring }: Member, seq: number): number {
  return ((ring.head - seq) | 0) > 0 ? ring.arena.F[ring.timeAt + (seq & ring.mask)]! : Infinity;
}
