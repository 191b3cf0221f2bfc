import type { DriverTag, ServeHost } from "../../../src/driver.ts";
import { StreamServer } from "../../../src/driver/wire/stream-server.ts";
import {
  ANSWER, cell_bytes, frame_bytes_max, frameBytes, get16, head_bytes, NO_CELL, putHead, READ,
  REFUSAL, WRITE,
} from "./frame.ts";
import { Field } from "./plan.ts";

/** The box as the simulator and `--simulate` stand for it: it has the cells of the tags. */
export class CellsServer extends StreamServer {
  readonly #host: ServeHost;
  readonly #fields: ReadonlyMap<number, Field>;

  constructor(tags: readonly DriverTag[], host: ServeHost) {
    super(frame_bytes_max, frame_bytes_max);
    this.#host = host;
    this.#fields = new Map(tags.map((tag) => new Field(tag)).map((field) => [field.cell, field]));
  }

  protected frameBytes(n: number): number {
    return frameBytes(this.input, n);
  }

  protected isRequest(n: number): boolean {
    const what = this.input[4];
    return what === READ && n === head_bytes || what === WRITE && n === head_bytes + cell_bytes;
  }

  protected answer(): number {
    const what = this.input[4]!;
    const first = get16(this.input, 5);
    const count = this.input[7]!;
    const isDone = what === READ ? this.#read(first, count) : this.#write(first);
    const cells = isDone && what === READ ? count : 0;
    return putHead(this.out, get16(this.input, 2), isDone ? what + ANSWER : REFUSAL, first,
      isDone ? count : NO_CELL, cells);
  }

  /** A cell between two tags is 0; one past the last there is not. */
  #read(first: number, count: number): boolean {
    const last = first + count - 1;
    if (count === 0 || head_bytes + count * cell_bytes > frame_bytes_max) return false;
    if (![...this.#fields.keys()].some((cell) => cell >= last)) return false;
    this.out.fill(0, head_bytes, head_bytes + count * cell_bytes);
    for (let i = 0; i < count; i++) {
      const field = this.#fields.get(first + i);
      if (field === undefined) continue;
      const value = this.#host.value(field.tag);
      if (value === null) return false;
      this.out.set(field.number.encode(Number(value)).bytes, head_bytes + i * cell_bytes);
    }
    return true;
  }

  #write(cell: number): boolean {
    const field = this.#fields.get(cell);
    if (field === undefined) return false;
    return this.#host.written(field.tag, field.number.decode(this.input, head_bytes));
  }
}
