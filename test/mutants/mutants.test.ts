import { expect, test } from "bun:test";
import { Run } from "./run.ts";

/**
 * The differential suite is tested: each operator, constant and branch of the kernels of random
 * programs is changed in turn, and the suite must tell by its rows that something is different.
 *
 * What is under test is the emitter, so that changes of one pattern are one mutant: the same
 * statement, but for the numbers of its names, in another program or place. It is found as soon as
 * one of its places is: where it stands in what no row can show, it is as it is for the suite,
 * which meets each pattern thousands of times. So what the programs of a run have not shown is
 * looked for in further ones, and at last with more rows.
 *
 * The check runs a few programs, always the same, and of a few mutants one more or less that is
 * found is two per cent: only with SOAK_COUNT the bound is the one that is aimed at.
 */

const wanted = process.env["SOAK_COUNT"];
const count = Number(wanted ?? 8);
/** One mutant of so many is tried. */
const every = Number(process.env["SOAK_EVERY"] ?? (wanted === undefined ? 30 : 1));
const seed = Number(process.env["SOAK_SEED"] ?? 20_261_126);
/** Of the suite's hundred thousand programs some thousands, or in the check some hundreds. */
const further = count * (wanted === undefined ? 80 : 400);
const least = wanted === undefined ? 0.9 : 0.95;

test(`mutants of generated code are found (${count} programs from seed ${seed})`, async () => {
  const run = new Run({ seed, count, every, further });
  await run.run();
  for (const [why, n] of Map.groupBy(run.equivalent.values(), (w) => w)) {
    console.log(`equivalent: ${n.length} × ${why}`);
  }
  for (const [pattern, { places, mutant, title }] of run.open) {
    console.log(`survivor, in ${places.length} places: ${pattern}`);
    console.log(`    ${mutant.change} in ${mutant.statement}\n    of ${title}`);
  }
  console.log(run.line);
  expect(run.found.size).toBeGreaterThan(30);
  expect(run.score).toBeGreaterThan(least);
}, 7_200_000);
