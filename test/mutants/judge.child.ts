import type { Case, Done } from "../sql/differential.ts";
import { guarded } from "./mutate.ts";
import { guardedProgram, placesOf } from "./places.ts";
import { type Question, subjectOf } from "./subject.ts";

/** Answers whether rows tell a changed kernel from the right one, in a process of its own. */

const rounds_max = 50_000;

class Subject {
  readonly seed: number;
  readonly #one: Case;
  readonly #known: Done[] = [];
  readonly #places;

  constructor(seed: number) {
    this.seed = seed;
    this.#one = subjectOf(seed)!;
    this.#places = placesOf(guardedProgram(this.#one.program));
  }

  #expected(set: number): Done {
    return this.#known[set] ??= this.#one.expected(this.seed + set);
  }

  /**
   * Whether it says enough that a change could be seen: some conditions hold for no row, some
   * expressions are always the same error.
   */
  isLively(): boolean {
    const rows = Array.from({ length: 12 }, (_, set) => this.#expected(set).rows).flat();
    const columns = rows.map((row) => row.split(/ (?=[\w$]+=)/));
    return rows.length >= 60 && columns[0]!.every((_, i) =>
      new Set(columns.map((row) => row[i])).size >= (i === 0 ? 10 : 4));
  }

  isFound(at: number, text: string, from: number, to: number): boolean {
    const program = this.#places[at]!.change(guarded(text));
    for (let set = from; set < to; set++) {
      globalThis.rounds = rounds_max;
      try {
        if (!Bun.deepEquals(this.#one.run(program, this.seed + set), this.#expected(set))) {
          return true;
        }
      } catch {
        // It does not even run: nothing could be more visible.
        return true;
      }
    }
    return false;
  }
}

let subject: Subject | null = null;

process.on("message", (question: Question) => {
  if (subject?.seed !== question.seed) subject = new Subject(question.seed);
  process.send!(question.what === "lively" ? subject.isLively()
    : subject.isFound(question.at, question.text, question.from, question.to));
});
