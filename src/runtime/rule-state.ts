import { limits } from "../base.ts";
import { packRows, type Ring } from "../ring.ts";
import { stateHash, stateRanges } from "../sql.ts";
import { seal, type Segment } from "../store.ts";
import type { RuleRunner } from "./rule.ts";

/** How far a rule had read and written, in the numbers of its rings (`Numbering`). */
export interface RuleCut {
  readonly hash: string;
  /** Number of the row that it reads next in each of its places. */
  readonly inputs: readonly (readonly [stream: string, next: number])[];
  /** The same of the rings inside: of several streams as one, and between its stages. */
  readonly inner: Readonly<Record<string, number>>;
  readonly epoch: number;
  /** Number of the next row of its output. */
  readonly next: number;
  /** Of a rule that shares its window: when that began, and `RuleRunner.since`; null: never. */
  readonly window?: { readonly began: number; readonly since: number | null };
}

/** What a checkpoint has of one rule: the state of its stages, page by page, and its rings. */
export class RuleState {
  readonly runner: RuleRunner;
  readonly name: string;
  readonly hash: string;
  /** Every row that it reads comes again after a restart, so its output is numbered on. */
  readonly followed: boolean;
  readonly pages: readonly { readonly at: number; readonly bytes: number }[];
  /** So many of them are of a window that other rules share. */
  readonly #shared: number;
  /** Of the pages as they are on disk; null: not there. */
  readonly #hashes: (bigint | null)[];

  constructor(runner: RuleRunner, followed: boolean) {
    this.runner = runner;
    this.name = runner.name;
    this.followed = followed;
    this.hash = stateHash(runner.plan.program);
    const { states, window, plan: { program: { stages } } } = runner;
    const pages = stages.map((stage, i) => stateRanges(stage)
      .flatMap(({ at, bytes }) => pagesOf(states[i]!.at + at, bytes)));
    this.pages = pages.flat();
    this.#shared = pages.slice(0, window?.states.length ?? 0).flat().length;
    this.#hashes = this.pages.map(() => null);
  }

  /** Rings that this rule alone writes and reads. */
  get inner(): Ring[] {
    return this.runner.links.slice(this.runner.gathers ? 0 : 1).map(({ ring }) => ring);
  }

  cut(): RuleCut {
    const { runner } = this;
    const inner = this.inner;
    for (const ring of inner) ring.numbering.follow(ring.head);
    const cursors = runner.links.filter(({ ring }) => inner.includes(ring));
    return {
      hash: this.hash,
      inputs: runner.places.map(({ ring, cursor }) => [ring.name,
        ring.numbering.of(runner.state === "running" ? cursor : ring.head)]),
      inner: Object.fromEntries(cursors.map(({ ring, cursor }) =>
        [ring.name, ring.numbering.of(cursor)])),
      epoch: runner.output.numbering.epoch,
      next: runner.output.numbering.of(runner.output.head),
      ...(runner.window === null ? {} : { window: { began: runner.window.began,
        since: runner.since === -Infinity ? null : runner.since } }),
    };
  }

  /** Rows of its rings that somebody has still to read: `unread` of its output. */
  tails(unread: number): Segment[] {
    const { links, output } = this.runner;
    const inner = this.inner;
    return [
      ...links.filter(({ ring }) => inner.includes(ring)).map(({ ring, cursor }) =>
        rowsOf(ring, (ring.head - cursor) | 0)),
      rowsOf(output, unread),
    ].filter((segment) => segment !== null);
  }

  /** Page `i` if it changed since it was written last. */
  page(i: number): Segment | null {
    const { at, bytes } = this.pages[i]!;
    const { U } = this.runner.output.arena;
    const hash = Bun.hash(U.subarray(at, at + bytes)) as bigint;
    if (hash === this.#hashes[i]) return null;
    this.#hashes[i] = hash;
    return seal({
      kind: "state", owner: this.name, shape: this.hash, first: i, rows: 0, epoch: 0, from: 0,
      to: 0, marks: "",
    }, U.slice(at, at + bytes));
  }

  /** What is on disk is not known any more: all pages are written again. */
  forget(): void {
    this.#hashes.fill(null);
  }

  /**
   * Takes the pages of a checkpoint, without those of a shared window if it is another one; false =
   * they are not those of this state.
   */
  restore(contents: readonly (Uint8Array | null)[], isSameWindow: boolean): boolean {
    const fits = contents.length === this.pages.length &&
      contents.every((bytes, i) => bytes?.length === this.pages[i]!.bytes);
    if (!fits) return false;
    const { U } = this.runner.output.arena;
    contents.forEach((bytes, i) => {
      if (i < this.#shared && !isSameWindow) return;
      const { at } = this.pages[i]!;
      U.set(bytes!, at);
      this.#hashes[i] = Bun.hash(U.subarray(at, at + bytes!.length)) as bigint;
    });
    return true;
  }
}

function pagesOf(at: number, bytes: number): { at: number; bytes: number }[] {
  const size = limits.checkpoint_page_bytes;
  return Array.from({ length: Math.ceil(bytes / size) }, (_, i) =>
    ({ at: at + i * size, bytes: Math.min(size, bytes - i * size) }));
}

/** The newest `n` rows of a ring as a segment, null for none. */
function rowsOf(ring: Ring, n: number): Segment | null {
  const rows = Math.min(n, ring.rows);
  if (rows <= 0) return null;
  const from = (ring.head - rows) | 0;
  const timeOf = (seq: number): number => ring.arena.F[ring.timeAt + (seq & ring.mask)]!;
  return seal({
    kind: "rows", owner: ring.name, epoch: ring.numbering.epoch, first: ring.numbering.of(from),
    rows, from: timeOf(from), to: timeOf((ring.head - 1) | 0), shape: "", marks: "",
  }, packRows(ring, from, rows));
}
