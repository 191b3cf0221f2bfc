import { expect, test } from "bun:test";
import type { Case } from "../sql/differential.ts";
import { reasonOf } from "./equivalent.ts";
import { Judge } from "./judge.ts";
import { type Mutant, mutantsOf } from "./mutate.ts";
import { placesOf } from "./places.ts";
import { subjectOf } from "./subject.ts";

/**
 * The differential suite is tested: each operator, constant and branch of the kernels of random
 * programs is changed in turn, and the suite must tell by its rows that something is different.
 *
 * What is under test is the emitter, so that changes of one pattern are one mutant: the same
 * statement, but for the numbers of its names, in another program or place. It is found as soon as
 * one of its places is: where it stands in what no row can show, it is as it is for the suite,
 * which meets each pattern thousands of times. So what the programs of a run have not shown is
 * looked for in further ones.
 */

/** Programs whose kernels are changed. */
const count = Number(process.env["SOAK_COUNT"] ?? 40);
/** One pattern of so many is tried. */
const every = Number(process.env["SOAK_EVERY"] ?? 1);
const seed = Number(process.env["SOAK_SEED"] ?? 20_261_126);
/** Sets of rows that a mutant must stand in each place; places of the programs, and of further. */
const row_sets = 12, places_max = 30;
/** Further programs for each one. */
const further = Number(process.env["FURTHER"] ?? 20);

/** A pattern that nothing has told so far. */
interface Open {
  readonly mutant: Mutant;
  readonly title: string;
  places: number;
}

class Run {
  readonly open = new Map<string, Open>();
  readonly found = new Set<string>();
  readonly equivalent = new Map<string, string>();
  readonly judge = new Judge();
  /** Changed kernels that were run, and those of which nothing came back. */
  tried = 0;
  foundFurther = 0;
  #seed = seed;

  /** Each pattern of some programs. */
  async first(): Promise<void> {
    const seen = new Map<string, number>();
    for (let taken = 0; taken < count; this.#seed++) {
      const one = subjectOf(this.#seed);
      const most = count / 20 + (this.#seed - seed) / 20;
      if (one === null || one.kinds.every((kind) => (seen.get(kind) ?? 0) > most)) continue;
      if (await this.judge.ask({ what: "lively", seed: one.seed }) !== true) continue;
      for (const kind of one.kinds) seen.set(kind, (seen.get(kind) ?? 0) + 1);
      taken += 1;
      await this.#tryAll(one, (mutant) => this.#placeOf(mutant, one));
      if (taken % 5 === 0) console.log(`${taken} programs: ${this.line}`);
    }
    console.log("stages:", Object.fromEntries(seen));
  }

  /** What is open, in further programs. */
  async further(): Promise<void> {
    const before = this.found.size;
    for (const one of this.open.values()) one.places = 0;
    const shapes = new Set<string>();
    for (let i = 0; i < further * count && this.open.size > 0; i++, this.#seed++) {
      shapes.clear();
      for (const { mutant, places } of this.open.values()) {
        if (places < places_max) shapes.add(mutant.shape);
      }
      const one = subjectOf(this.#seed);
      if (i % 200 === 199) console.log(`${i + 1} further programs: ${this.line}`);
      if (one === null) continue;
      await this.#tryAll(one, ({ pattern }) => this.open.get(pattern) ?? null,
        (shape) => shapes.has(shape));
    }
    this.foundFurther = this.found.size - before;
  }

  /** Where a mutant is counted; null if it is not to be tried. */
  #placeOf(mutant: Mutant, { title }: Case): Open | null {
    const { pattern } = mutant;
    if (this.found.has(pattern) || this.equivalent.has(pattern)) return null;
    if (Bun.hash.crc32(pattern) % every !== 0) return null;
    const reason = reasonOf(mutant);
    if (reason !== null) {
      this.equivalent.set(pattern, reason);
      return null;
    }
    const known = this.open.get(pattern) ?? { mutant, title, places: 0 };
    this.open.set(pattern, known);
    return known;
  }

  async #tryAll(one: Case, placeOf: (mutant: Mutant) => Open | null,
    isWanted?: (shape: string) => boolean): Promise<void> {
    for (const [at, { text }] of placesOf(one.program).entries()) {
      for (const mutant of mutantsOf(text, isWanted)) {
        const open = placeOf(mutant);
        if (open === null || ++open.places > places_max) continue;
        this.tried += 1;
        const answer = await this.judge.ask({ what: "found", seed: one.seed, at,
          text: mutant.text(), from: 0, to: row_sets });
        if (answer === false) continue;
        this.found.add(mutant.pattern);
        this.open.delete(mutant.pattern);
      }
    }
  }

  get score(): number {
    return this.found.size / (this.found.size + this.open.size);
  }

  get line(): string {
    return `${this.found.size + this.open.size + this.equivalent.size} mutants ` +
      `(${this.tried} changed kernels run, ${this.judge.died} of them without end), ` +
      `${this.equivalent.size} equivalent by rule, ${this.found.size} found of the others: ` +
      `${(this.score * 100).toFixed(2)} %`;
  }
}

test(`mutants of generated code are found (${count} programs from seed ${seed})`, async () => {
  const run = new Run();
  await run.first();
  await run.further();
  run.judge.close();
  for (const [why, n] of Map.groupBy(run.equivalent.values(), (w) => w)) {
    console.log(`equivalent: ${n.length} × ${why}`);
  }
  for (const [pattern, { places, mutant, title }] of run.open) {
    console.log(`survivor, in ${places} places: ${pattern}`);
    console.log(`    ${mutant.change} in ${mutant.statement}\n    of ${title}`);
  }
  console.log(run.line, `${run.foundFurther} of them in further programs`);
  expect(run.found.size).toBeGreaterThan(100);
  expect(run.score).toBeGreaterThan(0.95);
}, 7_200_000);
