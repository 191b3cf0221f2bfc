import { assert } from "../base.ts";
import { loadCursor, loadHead, publishHead, storeCursor } from "./bridge.ts";
import { gather, sourcesOf, type Sources } from "./gather.ts";
import type { Ring } from "./ring.ts";

/**
 * Commands and outcomes between the gate's thread and a serial worker: one writer, one reader,
 * fixed records that are the rows of a ring. It never laps: full is an answer (`busy`), because a
 * lost command would be a lie and an overwritten one a danger (W14). `claim` is not used.
 */
export class CommandWriter {
  readonly #ring: Ring;

  constructor(ring: Ring) {
    this.#ring = ring;
  }

  /** Records that were not taken yet. */
  get waiting(): number {
    const { arena, cursorAt, head } = this.#ring;
    return (head - loadCursor(arena.I, cursorAt)) >>> 0;
  }

  /** Lets `fill` write the cells of row `seq` and sends it; false = full, `fill` was not called. */
  push(fill: (ring: Ring, seq: number) => void): boolean {
    const ring = this.#ring;
    if (this.waiting >= ring.rows) return false;
    fill(ring, ring.head);
    publishHead(ring.arena.I, ring.headAt, (ring.head + 1) | 0);
    return true;
  }
}

/** The reading side; each record is copied into `into`, a ring of the reader's own arena. */
export class CommandReader {
  readonly #ring: Ring;
  readonly #into: Ring;
  readonly #sources: Sources;

  constructor(ring: Ring, into: Ring) {
    assert(into.columns.length === ring.columns.length, `${into.name} misses columns of a record`);
    this.#ring = ring;
    this.#into = into;
    this.#sources = sourcesOf(ring, into);
    into.claim(1);
  }

  /** Row of `into` that holds the record taken last. */
  get seq(): number {
    return (this.#into.head - 1) | 0;
  }

  /**
   * Takes the oldest record. The cursor has moved when this returns: whatever happens while the
   * record is acted on, nobody is handed it a second time (W14).
   */
  pop(): boolean {
    const { arena, headAt, cursorAt } = this.#ring;
    const cursor = arena.I[cursorAt]!;
    if (loadHead(arena.I, headAt) === cursor) return false;
    const into = this.#into;
    gather(this.#ring, cursor, into, into.head, 1, this.#sources);
    storeCursor(arena.I, cursorAt, (cursor + 1) | 0);
    into.publish(1);
    into.claim(1);
    return true;
  }
}
