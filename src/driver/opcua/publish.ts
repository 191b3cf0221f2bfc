import type { Rows } from "../../driver.ts";
import { BAD, GOOD, readsAsNull } from "../../ring.ts";
import { decodeCell, Field, stateOfStatus, valueOf, type Value } from "./codec.ts";

/** One value of a message, as the library gives it. */
export interface Told {
  /** Index of the tag in its group. */
  readonly tag: number;
  /** ms since 1970, NaN = the server gave none: by the clock of its source, and by the server's. */
  readonly source: number;
  readonly server: number;
  /** StatusCode */
  readonly status: number;
  readonly value: Value | null;
  /** What it is put in order by within its message. */
  order?: number;
  /** Engine time of its row. */
  time?: number;
}

/** A message of the server, and when it was made; without values it says that all is as it was. */
interface Message {
  readonly time: number;
  /** In the order of their source times, those of one tag as they came. */
  readonly values: readonly Told[];
  next: number;
}

/** Messages that wait: so many, that a server which sends faster than rows are written is seen. */
export const messages_max = 64;

/**
 * The rows of one group from the messages of a server: a row for each distinct source time, in
 * order. A tag that comes twice at one time makes two rows: nothing is overwritten.
 */
export class Publisher {
  readonly rows: Rows;
  readonly fields: readonly Field[];
  /** Rows written. */
  written = 0;
  #waiting: Message[] = [];
  /** The number of the row in which each tag was written last. */
  readonly #row: Float64Array;
  #number = 0;
  /** Of each tag the order of its value before, in the message that is looked at. */
  readonly #order: Float64Array;
  /** Engine time of the message before. */
  #before = Infinity;

  constructor(rows: Rows) {
    this.rows = rows;
    this.fields = rows.tags.map((tag) => new Field(tag));
    this.#row = new Float64Array(rows.tags.length).fill(-1);
    this.#order = new Float64Array(rows.tags.length);
  }

  /**
   * A message came that was made at `time` (engine time); its values are the publisher's from now
   * on. A server gives those of one tag as they followed each other, whatever its clock says: the
   * last one holds, without a time: at once. One that another of its tag overtook is as old as the
   * server's own times say (`made`: that of the message), or else as the message before this one.
   * `made` null: none of them is of now. False = too many wait, and it is not taken.
   */
  take(time: number, values: Told[], made: number | null): boolean {
    if (this.#waiting.length >= messages_max) return false;
    this.#order.fill(-Infinity);
    for (const told of values) {
      const before = this.#order[told.tag]!;
      told.order = Number.isNaN(told.source) ? before : Math.max(before, told.source);
      this.#order[told.tag] = told.order;
    }
    values.sort((a, b) => (a.order === b.order ? 0 : a.order! - b.order!));
    if (made !== null) this.#date(time, values, made);
    this.#waiting.push({ time, values, next: 0 });
    return true;
  }

  /** The engine time of each row. */
  #date(time: number, values: readonly Told[], made: number): void {
    let rowTime = time;
    this.#order.fill(NaN);
    for (let i = values.length - 1; i >= 0; i--) {
      const told = values[i]!;
      if (Number.isNaN(this.#order[told.tag]!)) this.#order[told.tag] = told.order!;
      else {
        const age = Math.max(made - told.server, this.#order[told.tag]! - told.order!);
        // Rows never go back in time: what stands before an old one is as old.
        rowTime = Math.min(rowTime, Number.isNaN(age) ? this.#before : time - age);
      }
      told.time = rowTime;
    }
    this.#before = time;
  }

  /** What waits is not known to hold any more. */
  clear(): void {
    this.#waiting = [];
  }

  /** Writes at most half of what the ring holds; true = more waits. */
  write(): boolean {
    let left = Math.max(1, this.rows.ring.rows >> 1);
    while (this.#waiting.length > 0 && left > 0) {
      const message = this.#waiting[0]!;
      this.#writeRow(message);
      left -= 1;
      if (message.next >= message.values.length) this.#waiting.shift();
    }
    return this.#waiting.length > 0;
  }

  #writeRow(message: Message): void {
    const { values } = message;
    const { source = NaN, time = message.time } = values[message.next] ?? {};
    const seq = this.rows.begin(time, source);
    this.#number += 1;
    for (; message.next < values.length; message.next++) {
      const told = values[message.next]!;
      if (told.source !== source && !(Number.isNaN(told.source) && Number.isNaN(source))) break;
      if (this.#row[told.tag] === this.#number) break;
      this.#row[told.tag] = this.#number;
      this.#put(told, seq);
    }
    this.rows.publish();
    this.written += 1;
  }

  #put({ tag, status, value }: Told, seq: number): void {
    const { ring } = this.rows;
    const field = this.fields[tag]!;
    const at = ring.columns[field.tag.column]!.state + (seq & ring.mask);
    const state = stateOfStatus(status);
    // A bad value is the last one known, with the reason.
    if (readsAsNull(state) || value === null) {
      ring.arena.U[at] = readsAsNull(state) ? state : BAD.source;
      return;
    }
    decodeCell(field, valueOf(field, value), ring, seq);
    if (ring.arena.U[at] === GOOD) ring.arena.U[at] = state;
  }
}
