import type { Case } from "../sql/differential.ts";
import { reasonOf } from "./equivalent.ts";
import { Judge } from "./judge.ts";
import { type Mutant, mutantsOf } from "./mutate.ts";
import { placesOf } from "./places.ts";
import { type Subject, subjectOf } from "./subject.ts";

/**
 * Sets of rows that a mutant must stand in each place, and places that it is tried in; so many more
 * that it must stand a few sets in, since where it shows is in few programs, but there soon.
 */
const row_sets = 12, places_max = 30, more_row_sets = 3, more_places_max = 400;
/** The same of the last round, and in how many more variants of a place's program it is tried. */
const last_row_sets = 60, last_places = 3, variants = 6;

/** A mutant that nothing has told so far. */
export interface Open {
  readonly mutant: Mutant;
  readonly title: string;
  /** Where it stands: in which program, which of its kernels, its changed text. */
  readonly places: (Subject & { readonly at: number; readonly text: string })[];
  /** Tries in the round at hand. */
  tried: number;
}

/** What is run: so many programs from a seed on, one of so many mutants, and further programs. */
export interface Scope {
  readonly seed: number;
  readonly count: number;
  readonly every: number;
  readonly further: number;
}

/** Mutants of some programs, and what has become of them. */
export class Run {
  readonly open = new Map<string, Open>();
  readonly found = new Set<string>();
  /** With the reason. */
  readonly equivalent = new Map<string, string>();
  readonly #scope: Scope;
  readonly #judge = new Judge();
  /** Kinds of stages of the programs. */
  readonly #kinds = new Map<string, number>();
  /** Changed kernels that were run. */
  #tried = 0;
  #seed: number;

  constructor(scope: Scope) {
    this.#scope = scope;
    this.#seed = scope.seed;
  }

  async run(): Promise<void> {
    await this.#first();
    console.log("stages:", Object.fromEntries(this.#kinds));
    console.log(`programs: ${this.line}`);
    await this.#further();
    console.log(`with further programs: ${this.line}`);
    await this.#last();
    this.#judge.close();
  }

  get score(): number {
    return this.found.size / (this.found.size + this.open.size);
  }

  get line(): string {
    return `${this.found.size + this.open.size + this.equivalent.size} mutants ` +
      `(${this.#tried} changed kernels run, ${this.#judge.died} of them without end), ` +
      `${this.equivalent.size} equivalent by rule, ${this.found.size} found of the others: ` +
      `${(this.score * 100).toFixed(2)} %`;
  }

  /** Programs of every kind of stage: one is taken if it has a kind that few before it have. */
  async #first(): Promise<void> {
    const { count, seed } = this.#scope;
    for (let taken = 0; taken < count; this.#seed++) {
      const subject = { seed: this.#seed, variant: 0 };
      const one = subjectOf(subject);
      const most = count / 20 + (this.#seed - seed) / 20;
      if (one === null || one.kinds.every((kind) => (this.#kinds.get(kind) ?? 0) > most)) continue;
      if (await this.#judge.ask({ what: "lively", ...subject }) !== true) continue;
      for (const kind of one.kinds) this.#kinds.set(kind, (this.#kinds.get(kind) ?? 0) + 1);
      taken += 1;
      await this.#tryAll(subject, one, (mutant) => this.#placeOf(mutant, one));
      if (taken % 20 === 0) console.log(`${taken} programs: ${this.line}`);
    }
  }

  /** Whatever is open is looked for in further programs, as the suite meets them. */
  async #further(): Promise<void> {
    for (const open of this.open.values()) open.tried = 0;
    const { further } = this.#scope;
    for (let i = 0; i < further && this.open.size > 0; i++, this.#seed++) {
      const subject = { seed: this.#seed, variant: 0 };
      const one = subjectOf(subject);
      if (i % 500 === 499) console.log(`${i + 1} further programs: ${this.line}`);
      const shapes = new Set([...this.open.values()]
        .filter(({ tried }) => tried < more_places_max).map(({ mutant }) => mutant.shape));
      if (one === null) continue;
      await this.#tryAll(subject, one, (mutant) => this.#openOf(mutant), shapes, more_places_max);
    }
  }

  #openOf(mutant: Mutant): Open | null {
    return reasonOf(mutant) !== null ? null : this.open.get(mutant.pattern) ?? null;
  }

  /** What is still open stands in few places: it gets more rows there, in variants too. */
  async #last(): Promise<void> {
    for (const [pattern, open] of this.open) {
      const places = open.places.slice(0, last_places);
      for (const place of places) {
        if (await this.#isFound(pattern, place, row_sets, last_row_sets)) break;
      }
      for (const { seed } of places) {
        for (let variant = 1; variant <= variants && this.open.has(pattern); variant++) {
          const one = subjectOf({ seed, variant });
          open.tried = 0;
          if (one === null) continue;
          await this.#tryAll({ seed, variant }, one,
            (mutant) => (mutant.pattern === pattern ? this.#openOf(mutant) : null),
            new Set([open.mutant.shape]));
        }
      }
    }
  }

  /** Where a mutant is counted; null if it is not to be tried. */
  #placeOf(mutant: Mutant, { title }: Case): Open | null {
    const { pattern } = mutant;
    if (this.found.has(pattern) || Bun.hash.crc32(pattern) % this.#scope.every !== 0) return null;
    const reason = reasonOf(mutant);
    if (reason !== null) {
      if (!this.open.has(pattern)) this.equivalent.set(pattern, reason);
      return null;
    }
    // Another place may have had one.
    this.equivalent.delete(pattern);
    const known = this.open.get(pattern) ?? { mutant, title, places: [], tried: 0 };
    this.open.set(pattern, known);
    return known;
  }

  async #tryAll(subject: Subject, one: Case, openOf: (mutant: Mutant) => Open | null,
    shapes: ReadonlySet<string> | null = null, most = places_max): Promise<void> {
    for (const [at, { text }] of placesOf(one.program).entries()) {
      for (const mutant of mutantsOf(text, shapes)) {
        const open = openOf(mutant);
        if (open === null || ++open.tried > most) continue;
        const place = { ...subject, at, text: mutant.text() };
        open.places.push(place);
        const sets = open.tried > places_max ? more_row_sets : row_sets;
        await this.#isFound(mutant.pattern, place, 0, sets);
      }
    }
  }

  async #isFound(pattern: string, place: Open["places"][number], from: number, to: number):
    Promise<boolean> {
    this.#tried += 1;
    const answer = await this.#judge.ask({ what: "found", ...place, from, to });
    if (answer === false) return false;
    this.found.add(pattern);
    return this.open.delete(pattern);
  }
}
