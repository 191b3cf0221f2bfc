import type { Case, Done } from "../sql/differential.ts";
import { guarded } from "./mutate.ts";
import { guardedProgram, placesOf } from "./places.ts";
import { type Question, type Subject, subjectOf } from "./subject.ts";

/** Answers whether rows tell a changed kernel from the right one, in a process of its own. */

const rounds_max = 50_000;

class Judged {
  readonly of: Subject;
  readonly #one: Case;
  readonly #known: Done[] = [];
  readonly #places;

  constructor(of: Subject) {
    this.of = of;
    this.#one = subjectOf(of)!;
    this.#places = placesOf(guardedProgram(this.#one.program));
  }

  #expected(set: number): Done {
    return this.#known[set] ??= this.#one.expected(this.#one.seed + set);
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
        if (!Bun.deepEquals(this.#one.run(program, this.#one.seed + set), this.#expected(set))) {
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

let subject: Judged | null = null;

process.on("message", (question: Question) => {
  const { seed, variant } = question;
  if (subject?.of.seed !== seed || subject.of.variant !== variant) {
    subject = new Judged({ seed, variant });
  }
  process.send!(question.what === "lively" ? subject.isLively()
    : subject.isFound(question.at, question.text, question.from, question.to));
});
