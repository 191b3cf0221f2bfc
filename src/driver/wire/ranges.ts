import type { DriverTag, Request } from "../../driver.ts";

/** A range that was refused as a whole is tried tag by tag again after so many polls. */
const polls_refused_max = 100;

/** A tag of a range, as its driver sees it. */
export interface RangeField {
  readonly tag: DriverTag;
  /** Code by which the device refused it, alone or with its neighbours; 0 = it was read. */
  code: number;
}

/** Tags that are read together: if the device refuses one of them, it refuses them all. */
export abstract class Range<F extends RangeField> {
  readonly fields: readonly F[];
  /** Refusal of the newest answer, 0 = it was read. */
  code: number;
  abstract readonly text: string;
  /** Polls that it is still refused as a whole, before its tags are tried one by one. */
  #patience: number;

  constructor(fields: readonly F[]) {
    this.fields = fields;
    this.code = fields[0]!.code;
    this.#patience = this.code === 0 ? 0 : polls_refused_max;
  }

  /** True if a refusal with this code leaves open which of the tags it is for. */
  abstract isDivisible(code: number): boolean;

  /** Keeps the code of an answer. True = it is another one, and which tags it is for is known. */
  note(code: number): boolean {
    if (code === this.code) return false;
    this.code = code;
    if (this.isToDivide) return false;
    for (const field of this.fields) field.code = code;
    return true;
  }

  /** Puts down for each of its tags what the device says; null = it gives them. */
  tell(refusals: Map<DriverTag, string>, words: string | null): void {
    for (const { tag } of this.fields) {
      if (words === null) refusals.delete(tag);
      else refusals.set(tag, `${tag.at}: ${words}`);
    }
  }

  /** Some of its tags may be readable, and it is time to find out. */
  get isToDivide(): boolean {
    return this.#patience === 0 && this.code !== 0 && this.fields.length > 1 &&
      this.isDivisible(this.code);
  }

  /** Once a poll: the same, and time goes on. */
  ask(): boolean {
    if (this.isToDivide) return true;
    if (this.#patience > 0) this.#patience -= 1;
    return false;
  }
}

/** How a protocol makes ranges and packs them into messages. */
export interface Packing<F extends RangeField, R extends Range<F>> {
  /** Neighbours with one code are joined where that is cheaper; the order is kept. */
  join(fields: readonly F[]): R[];
  single(field: F): R;
  /** First range of each message that has `room` bytes, and one past the last. */
  starts(ranges: readonly R[], room: number): number[];
}

/**
 * One read of some ranges. The session sends it in as many messages as the device has room for. A
 * range that is refused is read tag by tag in the next poll, and in the one after that joined anew
 * around the tags that are not there: so a tag that is wrong is bad alone.
 */
export class RangesRequest<F extends RangeField, R extends Range<F>> implements Request {
  readonly station: number;
  readonly tags: readonly DriverTag[];
  readonly text: string;
  readonly #fields: readonly F[];
  readonly #packing: Packing<F, R>;
  #ranges: readonly R[];
  #starts: readonly number[] = [];
  #room = -1;
  /** Tags were read one by one: they are joined again by what was answered. */
  #apart = false;

  constructor(ranges: readonly R[], packing: Packing<F, R>) {
    this.#ranges = ranges;
    this.#packing = packing;
    this.#fields = ranges.flatMap((range) => range.fields);
    this.tags = this.#fields.map((field) => field.tag);
    this.station = this.tags[0]!.station;
    this.text = ranges.map((range) => range.text).join(", ");
  }

  get ranges(): readonly R[] {
    return this.#ranges;
  }

  /** Where each message's ranges begin, and one past the last. */
  starts(room: number): readonly number[] {
    if (room !== this.#room) {
      this.#room = room;
      this.#starts = this.#packing.starts(this.#ranges, room);
    }
    return this.#starts;
  }

  /** All messages were answered: what could not be read together is read apart next time. */
  end(): void {
    if (this.#apart) {
      this.#apart = false;
      // Without a culprit the device takes no range of this length: they stay apart.
      const culprit = this.#fields.some((field) => field.code !== 0);
      if (culprit) this.#replace(this.#packing.join(this.#fields));
      return;
    }
    let divides = false;
    for (let i = 0; i < this.#ranges.length; i++) divides = this.#ranges[i]!.ask() || divides;
    if (!divides) return;
    this.#replace(this.#ranges.flatMap((range) =>
      (range.isToDivide ? range.fields.map((field) => this.#packing.single(field)) : [range])));
    this.#apart = true;
  }

  #replace(ranges: readonly R[]): void {
    this.#ranges = ranges;
    this.#room = -1;
  }
}

/** Few reads for many tags: their fields in the order of their addresses, a message a request. */
export function planRanges<F extends RangeField, R extends Range<F>>(
  fields: readonly F[], packing: Packing<F, R>, room: number,
): RangesRequest<F, R>[] {
  if (fields.length === 0) return [];
  const ranges = packing.join(fields);
  const starts = packing.starts(ranges, room);
  return starts.slice(1).map((end, i) =>
    new RangesRequest(ranges.slice(starts[i]!, end), packing));
}
