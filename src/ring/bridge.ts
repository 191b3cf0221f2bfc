import { gather, sourcesOf, type Sources } from "./gather.ts";
import type { Ring } from "./ring.ts";

/**
 * The barriers by which rows pass from one thread to another; with `wake.ts` the only home of
 * Atomics. On ARM an Atomics.load is a load-acquire and an Atomics.store a store-release; relied on
 * is only that
 *
 *     acquire → everything later · everything earlier → release · release → acquire later
 *
 *     writer  store claim → load claim → rows ──────→ store head
 *     reader  load head ────────────────→ copy ─────→ store cursor → load claim → judge
 *
 * A reader that saw anything of a row that overwrites one it copied sees that row's claim too:
 * the claim was out before the first byte, and is looked at after the last. `test/race` runs these
 * functions through all orders that the three rules leave open, and again without each barrier.
 */

/**
 * Announces that rows up to `head + n` may be overwritten. A claim never goes back: a kernel may
 * have touched rows past those it published.
 */
export function storeClaim(I: Int32Array, claimAt: number, head: number, n: number): void {
  const claim = (head + n) | 0;
  if (((claim - I[claimAt]!) | 0) > 0) Atomics.store(I, claimAt, claim);
  Atomics.load(I, claimAt);
}

export function publishHead(I: Int32Array, headAt: number, head: number): void {
  Atomics.store(I, headAt, head);
}

export function loadHead(I: Int32Array, headAt: number): number {
  return Atomics.load(I, headAt);
}

/** What was copied is copied: the place may be written again. */
export function storeCursor(I: Int32Array, cursorAt: number, cursor: number): void {
  Atomics.store(I, cursorAt, cursor);
}

/** For a writer that waits for its reader instead of lapping it (`command-ring.ts`). */
export function loadCursor(I: Int32Array, cursorAt: number): number {
  return Atomics.load(I, cursorAt);
}

function loadClaim(I: Int32Array, claimAt: number): number {
  return Atomics.load(I, claimAt);
}

/**
 * Carries the columns that `local` names from a ring of another thread into a ring of this thread.
 * Any number of bridges may read one ring: each keeps its cursor in its own `local`. Rows get the
 * sequence numbers of `local`, without gaps; what was lapped before or while it was copied is in
 * `lost`, so that at any time cursor − start = published + lost.
 */
export class Bridge {
  /** Rows that were overwritten before they could be taken. */
  lost = 0;
  readonly #remote: Ring;
  readonly #local: Ring;
  readonly #sources: Sources;
  /** Of rows that move within `local`. */
  readonly #own: Sources;
  readonly #rows_max: number;
  #cursor: number;

  /** `from` is the first sequence wanted; without it, the next that will be published. */
  constructor(remote: Ring, local: Ring, from?: number) {
    this.#remote = remote;
    this.#local = local;
    this.#sources = sourcesOf(remote, local);
    this.#own = sourcesOf(local, local);
    this.#cursor = from ?? loadHead(remote.arena.I, remote.headAt);
    storeCursor(local.arena.I, local.cursorAt, this.#cursor);
    // Half of `local` is claimed ahead of each step and not in it: between the loads of a step no
    // barrier stands but its own, and the newer half stays readable for a bridge further on.
    this.#rows_max = local.rows / 2;
    local.claim(this.#rows_max);
  }

  /** Sequence of the remote ring up to which rows are in `local`, or lost. */
  get cursor(): number {
    return this.#cursor;
  }

  /** Engine time of the oldest row that is still to come over this bridge, Infinity if none is. */
  get openSince(): number {
    const remote = this.#remote;
    // What is under way first: it may go on to wait here, never the other way round.
    const { openSince } = remote;
    const waiting = this.lag();
    if (waiting === 0) return openSince;
    if (waiting > remote.rows) return -Infinity;
    const time = remote.arena.F[remote.timeAt + (this.#cursor & remote.mask)]!;
    return Math.min(openSince, time);
  }

  /** Rows of the remote ring that were not looked at yet. */
  lag(): number {
    return (loadHead(this.#remote.arena.I, this.#remote.headAt) - this.#cursor) >>> 0;
  }

  /**
   * Moves at most `budget` rows and says how many were published; `lag()` says if there are more.
   * `before` is told of them while nobody else can see them.
   */
  step(budget: number, before?: (local: Ring, from: number, n: number) => void): number {
    const remote = this.#remote;
    const local = this.#local;
    const head = loadHead(remote.arena.I, remote.headAt);
    const behind = (head - this.#cursor) >>> 0;
    if (behind === 0) return 0;
    const gone = Math.max(0, behind - remote.rows);
    const first = (this.#cursor + gone) | 0;
    const n = Math.min(behind - gone, budget, this.#rows_max);
    gather(remote, first, local, local.head, n, this.#sources);
    this.#cursor = (first + n) | 0;
    storeCursor(local.arena.I, local.cursorAt, this.#cursor);

    // Row s is whole if the writer has not begun row s + rows: if claim − s ≤ rows.
    const claimed = (loadClaim(remote.arena.I, remote.claimAt) - first) >>> 0;
    const lapped = Math.min(n, Math.max(0, claimed - remote.rows));
    this.lost += gone + lapped;
    if (gone + lapped > 0) local.gaps.open();
    if (lapped === n) return 0;
    if (lapped > 0) {
      gather(local, (local.head + lapped) | 0, local, local.head, n - lapped, this.#own);
    }
    if (local.gaps.upTo === Infinity) {
      local.gaps.close(local.arena.F[local.timeAt + (local.head & local.mask)]!);
    }
    before?.(local, local.head, n - lapped);
    local.publish(n - lapped);
    local.claim(this.#rows_max);
    return n - lapped;
  }
}
