import type { Session, Wire } from "../../driver.ts";
import { no_frame } from "./framing.ts";
import { get16 } from "./pdu.ts";
import { adu_bytes_max, frameBytes, header_bytes, MbapFraming } from "./mbap.ts";
import { ModbusSession, type SessionOptions } from "./session.ts";

/**
 * Several exchanges over one TCP connection, told apart by their transaction numbers: those of
 * exchange i are i modulo `stride`, so that each frame says whose answer it is. This session is
 * exchange 0; it alone writes.
 */
export class Pipeline extends ModbusSession {
  readonly beside: readonly Session[];
  readonly #wire: Wire;
  readonly #stride: number;
  readonly #input = new Uint8Array(adu_bytes_max);
  #filled = 0;

  constructor(wire: Wire, inFlight: number, options: SessionOptions) {
    const stride = 2 ** Math.ceil(Math.log2(inFlight));
    super(wire, new MbapFraming(0, stride), options);
    this.#wire = wire;
    this.#stride = stride;
    this.beside = Array.from({ length: inFlight - 1 }, (_, i) =>
      new ModbusSession(wire, new MbapFraming(i + 1, stride), options, this.counters));
  }

  override receive(bytes: Uint8Array, n: number, now: number): void {
    const input = this.#input;
    for (let at = 0; at < n;) {
      // First what says how long the frame is, then the rest of it: never more than one frame.
      const wanted = this.#filled < header_bytes ? header_bytes : frameBytes(input);
      const stop = Math.min(n, at + wanted - this.#filled);
      while (at < stop) input[this.#filled++] = bytes[at++]!;
      if (this.#filled < header_bytes) return;
      const length = frameBytes(input);
      if (length < 0) return this.#lost();
      if (this.#filled === length) this.#deliver(length, now);
    }
  }

  override abort(): void {
    this.#filled = 0;
    super.abort();
    for (const session of this.beside) session.abort();
  }

  #deliver(length: number, now: number): void {
    this.#filled = 0;
    const whose = get16(this.#input, 0) & (this.#stride - 1);
    if (whose === 0) super.receive(this.#input, length, now);
    else if (whose <= this.beside.length) this.beside[whose - 1]!.receive(this.#input, length, now);
    else this.counters.stray += length;
  }

  /** No frame begins here: only a new connection helps. */
  #lost(): void {
    this.counters.stray += this.#filled;
    this.counters.garbled += 1;
    this.#filled = 0;
    this.#wire.reset(no_frame);
  }
}
