import { limits } from "../base.ts";
import type { Wire } from "../driver.ts";

/** `tx`: we sent it. */
export type Direction = "tx" | "rx";

/** Bytes that passed on a link's medium in one piece; those received may be part of a frame. */
export interface FramePiece {
  /** Engine time, ms since the epoch. */
  readonly time: number;
  readonly dir: Direction;
  readonly bytes: Uint8Array;
}

/** Told of all that passes, whether somebody looks or not. */
export type Tap = (dir: Direction, bytes: Uint8Array, n: number) => void;

/** Nobody asked for so long (ms): nobody looks any more. */
const look_ms = 5000;

/** The newest pieces of a link's traffic, kept while somebody looks at them, and only then. */
export class Frames {
  #until = -Infinity;
  #kept: FramePiece[] = [];
  /** Number of the newest piece. */
  #newest = 0;

  isWatched(now: number): boolean {
    if (now < this.#until) return true;
    if (this.#kept.length > 0) this.#kept = [];
    return false;
  }

  add(piece: FramePiece): void {
    this.#newest += 1;
    this.#kept.push(piece);
    if (this.#kept.length > limits.frames_kept) this.#kept.shift();
  }

  /** The pieces past number `after` that are still there, and who asks looks on for a while. */
  after(after: number, now: number): { readonly n: number; readonly piece: FramePiece }[] {
    this.#until = now + look_ms;
    const first = this.#newest - this.#kept.length + 1;
    return this.#kept.map((piece, i) => ({ n: first + i, piece })).filter(({ n }) => n > after);
  }
}

/** The same wire; what is sent is told to `tap`, as far as it left. */
export function tapped(wire: Wire, tap: Tap): Wire {
  return {
    open: () => wire.open(),
    send(bytes, n, within_ms) {
      const left = wire.send(bytes, n, within_ms);
      if (left) tap("tx", bytes, n);
      return left;
    },
    drain: () => wire.drain(),
    reset: (why, anew) => wire.reset(why, anew),
  };
}
