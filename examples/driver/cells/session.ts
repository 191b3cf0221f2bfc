import type { DriverTag, Request } from "../../../src/driver.ts";
import {
  ANSWERED, DAMAGED, STRAY, type Protocol,
} from "../../../src/driver/wire/stream-session.ts";
import type { Ring } from "../../../src/ring.ts";
import {
  ANSWER, cell_bytes, frame_bytes_max, frameBytes, get16, head_bytes, NO_CELL, putHead, READ,
  REFUSAL, WRITE,
} from "./frame.ts";
import { Field, type CellsRequest } from "./plan.ts";

/** What the box says of its frames; the exchange is `StreamSession`'s. */
export class CellsProtocol implements Protocol {
  readonly frame_bytes_max = frame_bytes_max;
  readonly greetings = 0;
  readonly frameBytes = frameBytes;
  trouble = "";
  readonly #fields = new Map<DriverTag, Field>();
  #number = 0;

  putGreeting(): number {
    return 0;
  }

  greeted(): null {
    return null;
  }

  partsOf(): number {
    return 1;
  }

  isAddress(code: number): boolean {
    return code === NO_CELL;
  }

  putRead(request: Request, _part: number, out: Uint8Array): number {
    const { first, count } = request as CellsRequest;
    return putHead(out, this.#next(), READ, first, count, 0);
  }

  takeRead(
    request: Request, _part: number, input: Uint8Array, n: number, into: Ring, seq: number,
  ): number {
    const { fields, first, count } = request as CellsRequest;
    const found = this.#look(input, n, READ, first, count, count);
    if (found !== ANSWERED) return found;
    for (let i = 0; i < fields.length; i++) {
      const { cell, number } = fields[i]!;
      number.decodeCell(input, head_bytes + (cell - first) * cell_bytes, into, seq);
    }
    return ANSWERED;
  }

  endRead(): void {}

  putReadRaw(tag: DriverTag, out: Uint8Array): number {
    return putHead(out, this.#next(), READ, this.#field(tag).cell, 1, 0);
  }

  takeRaw(tag: DriverTag, input: Uint8Array, n: number, raw: Uint8Array): number {
    const found = this.#look(input, n, READ, this.#field(tag).cell, 1, 1);
    if (found === ANSWERED) raw.set(input.subarray(head_bytes, head_bytes + raw.length));
    return found;
  }

  putWrite(tag: DriverTag, raw: Uint8Array, out: Uint8Array): number {
    const n = putHead(out, this.#next(), WRITE, this.#field(tag).cell, 1, 1);
    out.fill(0, head_bytes, n);
    out.set(raw, head_bytes);
    return n;
  }

  takeWrite(tag: DriverTag, input: Uint8Array, n: number): number {
    return this.#look(input, n, WRITE, this.#field(tag).cell, 1, 0);
  }

  /** Is it the answer to what was asked, whole? A positive number is the reason of a refusal. */
  #look(
    input: Uint8Array, n: number, what: number, first: number, count: number, cells: number,
  ): number {
    if (get16(input, 2) !== this.#number) return STRAY;
    if (get16(input, 5) !== first) return DAMAGED;
    if (input[4] === REFUSAL && n === head_bytes && input[7]! > 0) return input[7]!;
    const fits = input[4] === what + ANSWER && input[7] === count &&
      n === head_bytes + cells * cell_bytes;
    return fits ? ANSWERED : DAMAGED;
  }

  #next(): number {
    this.#number = (this.#number + 1) & 0xffff;
    return this.#number;
  }

  #field(tag: DriverTag): Field {
    let field = this.#fields.get(tag);
    if (field === undefined) this.#fields.set(tag, (field = new Field(tag)));
    return field;
  }
}
