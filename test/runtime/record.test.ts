import { expect, test } from "bun:test";
import type { RefusedAttempt, Withheld } from "../../src/store.ts";
import { Record } from "../../src/runtime/record.ts";
import type { StorePort } from "../../src/runtime/store-port.ts";
import { refuse } from "../../src/gate.ts";
import * as fixture from "../gate/fixture.ts";

test("W21 refusals from outside are one commit a turn, a row each; a rule's are folded", () => {
  const commits: (readonly RefusedAttempt[])[] = [];
  const folded: Withheld[] = [];
  let wakes = 0;
  const store = {
    refusals: (attempts) => void commits.push(attempts),
    withheld: (refusal) => void folded.push(refusal),
  } as Partial<StorePort> as StorePort;
  const clock = { time: () => 5000, now: () => 1000 } as never;
  const hashes = { policyHash: "p", configHash: "c" } as never;
  const record = new Record(store, clock, hashes, () => { wakes += 1; });
  const refusal = refuse("unknown-tag", { tag: "a.b" });
  for (const id of ["a", "b", "c"]) {
    record.refused(fixture.restAsk({ id }), refusal);
  }
  record.refused(fixture.ruleAsk(), refusal);
  // The turn that commits them comes at once, whatever else there is to do.
  expect([commits.length, wakes]).toEqual([0, 3]);
  record.commit();
  expect(commits.map((attempts) => attempts.map(({ id }) => id))).toEqual([["a", "b", "c"]]);
  expect(folded).toMatchObject([{ code: "unknown-tag", who: "", source: "" }]);
  record.commit();
  expect(commits.length).toBe(1);
});
