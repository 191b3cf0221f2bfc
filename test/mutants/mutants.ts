import { expect, test } from "bun:test";
import type { Program, StagePlan } from "../../src/sql.ts";
import { type Case, caseOf, type Done } from "../sql/differential.ts";
import { joinOf } from "../sql/joined.ts";
import { guarded, type Mutant, mutantsOf } from "./mutate.ts";
import { reasonOf } from "./equivalent.ts";

/**
 * The differential suite is tested: each operator, constant and branch of the kernels of random
 * programs is changed in turn, and the suite must tell by its rows that something is different.
 *
 * What is under test is the emitter, so that changes of one pattern are one mutant: the same
 * statement, but for the numbers of its names, in another program or place. It is found as soon as
 * one of its places is: where it stands in what no row can show, it is as it is for the suite,
 * which meets each pattern thousands of times.
 *
 * It is no part of the check: what a changed kernel writes over other places may make the code of a
 * stage go on for ever.
 */

/** Programs whose kernels are changed. */
const count = Number(process.env["SOAK_COUNT"] ?? 40);
/** One pattern of so many is tried. */
const every = Number(process.env["SOAK_EVERY"] ?? 1);
const seed = Number(process.env["SOAK_SEED"] ?? 20_261_126);
/** Sets of rows that a mutant must stand in each place, and places that it is tried in. */
const row_sets = 12, places_max = 30;
const rounds_max = 50_000;

/** A kernel of a program, and what the program is with another text in its place. */
interface Place {
  readonly text: string;
  change(text: string): Program;
}

/** Every kernel text of a program. */
function placesOf(program: Program): Place[] {
  return program.stages.flatMap((stage, i) => textsIn(stage).map(({ text, change }) => ({
    text,
    change: (changed) => ({ ...program,
      stages: program.stages.map((s, j) => (i === j ? change(changed) as StagePlan : s)) }),
  })));
}

interface Text {
  readonly text: string;
  change(text: string): object;
}

/** A program of which no kernel goes on for ever, whatever another has written over its rings. */
const guardedProgram = (program: Program): Program => placesOf(program).reduce((made, _, i) => {
  const { text, change } = placesOf(made)[i]!;
  return change(guarded(text));
}, program);

/** Texts of kernels; a stage that has steps inside runs theirs, and its own is all of them. */
function textsIn(plan: object): Text[] {
  const isKept = "keep" in plan;
  return Object.entries(plan).flatMap(([name, value]: [string, unknown]): Text[] => {
    const put = (made: unknown): object => (Array.isArray(plan)
      ? plan.map((one, i) => (String(i) === name ? made : one)) : { ...plan, [name]: made });
    if (typeof value === "string") {
      return value.startsWith("function ") && !isKept ? [{ text: value, change: put }] : [];
    }
    if (typeof value !== "object" || value === null) return [];
    return textsIn(value).map(({ text, change }) =>
      ({ text, change: (changed) => put(change(changed)) }));
  });
}

const same = (a: Done, b: Done): boolean =>
  a.errors === b.errors && a.late === b.late && a.rows.length === b.rows.length
  && a.rows.every((row, i) => row === b.rows[i]);

/** Whether some rows tell a changed program from the right one. */
function isFound(one: Case, program: Program, expected: (set: number) => Done): boolean {
  for (let set = 0; set < row_sets; set++) {
    globalThis.rounds = rounds_max;
    try {
      if (!same(one.run(program, one.seed + set), expected(set))) return true;
    } catch {
      // It does not even run: nothing could be more visible.
      return true;
    }
  }
  return false;
}

/**
 * Whether a program says enough that a change could be seen: some conditions hold for no row, some
 * expressions are always the same error.
 */
function isLively(expected: (set: number) => Done): boolean {
  const rows = Array.from({ length: 12 }, (_, set) => expected(set).rows).flat();
  const columns = rows.map((row) => row.split(/ (?=[\w$]+=)/));
  return rows.length >= 60 && columns[0]!.every((_, i) =>
    new Set(columns.map((row) => row[i])).size >= (i === 0 ? 10 : 4));
}

/** A case and what the reference makes of sets of rows. */
interface Subject {
  readonly one: Case;
  expected(set: number): Done;
}

/**
 * Programs of every kind of stage: one is taken if it has a kind that few before it have. Their
 * expressions are one operator deep: what stands deep inside others is seldom seen through them.
 */
function* subjects(): Generator<Subject> {
  const seen = new Map<string, number>();
  for (let i = 0, taken = 0; taken < count; i++) {
    const one = i % 4 === 3 ? joinOf(seed + i) : caseOf(seed + i, 1);
    const most = count / 20 + i / 20;
    if (one === null || one.kinds.every((kind) => (seen.get(kind) ?? 0) > most)) continue;
    const known: Done[] = [];
    const expected = (set: number): Done => (known[set] ??= one.expected(one.seed + set));
    if (!isLively(expected)) continue;
    for (const kind of one.kinds) seen.set(kind, (seen.get(kind) ?? 0) + 1);
    taken += 1;
    yield { one, expected };
  }
  console.log("stages:", Object.fromEntries(seen));
}

interface Tally {
  /** Patterns that nothing has told so far: their text, and places tried. */
  readonly open: Map<string, { readonly mutant: Mutant; readonly title: string; places: number }>;
  readonly found: Set<string>;
  readonly equivalent: Map<string, string>;
  /** Changed kernels that were run. */
  tried: number;
}

function tryAll({ one, expected }: Subject, tally: Tally): void {
  const places = placesOf(guardedProgram(one.program));
  for (const [at, { text }] of placesOf(one.program).entries()) {
    for (const mutant of mutantsOf(text)) {
      const { pattern } = mutant;
      if (tally.found.has(pattern) || tally.equivalent.has(pattern)) continue;
      if (Bun.hash.crc32(pattern) % every !== 0) continue;
      const reason = reasonOf(mutant);
      if (reason !== null) {
        tally.equivalent.set(pattern, reason);
        continue;
      }
      const before = tally.open.get(pattern) ?? { mutant, title: one.title, places: 0 };
      if (++before.places > places_max) continue;
      tally.tried += 1;
      if (isFound(one, places[at]!.change(guarded(mutant.text)), expected)) {
        tally.found.add(pattern);
        tally.open.delete(pattern);
      } else tally.open.set(pattern, before);
    }
  }
}

test(`mutants of generated code are found (${count} programs from seed ${seed})`, () => {
  const tally: Tally = { open: new Map(), found: new Set(), equivalent: new Map(), tried: 0 };
  const score = (): number => tally.found.size / (tally.found.size + tally.open.size);
  const line = (): string => `${tally.found.size + tally.open.size + tally.equivalent.size} ` +
    `mutants (${tally.tried} changed kernels run), ${tally.equivalent.size} equivalent by rule, ` +
    `${tally.found.size} found of the others: ${(score() * 100).toFixed(2)} %`;
  let done = 0;
  for (const subject of subjects()) {
    tryAll(subject, tally);
    done += 1;
    if (done % 5 === 0) console.log(`${done} programs: ${line()}`);
  }
  for (const [why, n] of Map.groupBy(tally.equivalent.values(), (w) => w)) {
    console.log(`equivalent: ${n.length} × ${why}`);
  }
  for (const [pattern, { places, mutant, title }] of tally.open) {
    console.log(`survivor, in ${places} places: ${pattern}`);
    console.log(`    ${mutant.change} in ${mutant.statement}\n    of ${title}`);
  }
  console.log(line());
  expect(tally.found.size).toBeGreaterThan(100);
  expect(score()).toBeGreaterThan(0.95);
}, 7_200_000);
