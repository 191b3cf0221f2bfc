import type { Intake } from "../../src/connector.ts";
import { Arena, readCell, Ring, type ColumnSpec } from "../../src/ring.ts";

/** A journal in the test's hands: nothing is durable before it says so. */
export class Hand implements Intake {
  readonly ring: Ring;
  readonly rows_max = 8;
  readonly marks: readonly string[];
  newest: string | null;
  open = true;
  readonly messages: { readonly mark: string; readonly end: number; durable(): void }[] = [];
  readonly #waiting: (() => void)[] = [];

  constructor(
    marks: readonly string[] = [],
    columns: readonly ColumnSpec[] = [{ name: "n", kind: "int53", slot: 0 }], rows = 16,
  ) {
    this.marks = marks;
    this.newest = marks.at(-1) ?? null;
    this.ring = Ring.create(Arena.create(1 << 20), Ring.layout("rows", columns, rows)).ring;
  }

  whenOpen(go: () => void): void {
    this.#waiting.push(go);
  }

  admit(): void {
    this.open = true;
    for (const go of this.#waiting.splice(0)) go();
  }

  commit(mark: string, durable: () => void): void {
    this.newest = mark;
    this.messages.push({ mark, end: this.ring.head, durable });
  }

  /** Of the first column. */
  get values(): unknown[] {
    return Array.from({ length: this.ring.head }, (_, seq) =>
      readCell(this.ring, this.ring.columns[0]!, seq));
  }
}
