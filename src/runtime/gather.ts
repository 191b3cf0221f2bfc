import { limits } from "../base.ts";
import { copyCell, copyStamp, writeCell, type Column, type Ring } from "../ring.ts";

export interface Member {
  readonly ring: Ring;
  readonly device: string;
  readonly columns: readonly Column[];
  cursor: number;
}

/**
 * Fan-in: `FROM m-*.slow` reads many streams as one, with the column `device`. New rows of all
 * members are copied, oldest first, into one private ring.
 */
export class FanIn {
  lost = 0;
  readonly output: Ring;
  readonly members: readonly Member[];
  readonly #device: Column | undefined;

  constructor(inputs: readonly Ring[], output: Ring) {
    this.output = output;
    this.#device = output.column("device");
    this.members = inputs.map((ring) => ({
      ring,
      device: ring.name.slice(0, ring.name.lastIndexOf(".")),
      columns: output.columns.filter((c) => c !== this.#device).map((c) => ring.column(c.name)!),
      cursor: ring.head,
    }));
  }

  /** Sequence of one of its streams up to which it has read. */
  cursorIn(stream: Ring): number {
    return this.members.find(({ ring }) => ring === stream)?.cursor ?? stream.head;
  }

  /** True if rows are left. */
  step(): boolean {
    for (let n = 0; n < Math.min(limits.rows_per_step_max, this.output.rows / 2); n++) {
      const member = this.#oldest();
      if (member === null) return false;
      this.output.claim(1);
      this.#copy(member);
      this.output.publish(1);
      member.cursor = (member.cursor + 1) | 0;
    }
    return true;
  }

  #oldest(): Member | null {
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
      if (time < least) [oldest, least] = [member, time];
    }
    return oldest;
  }

  #copy(member: Member): void {
    const to = this.output;
    const seq = to.head;
    copyStamp(member.ring, member.cursor, to, seq);
    let i = 0;
    for (const column of to.columns) {
      if (column === this.#device) writeCell(to, column, seq, member.device);
      else copyCell(member.ring, member.columns[i++]!, member.cursor, to, column, seq);
    }
  }
}
