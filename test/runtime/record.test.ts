import { expect, test } from "bun:test";
import type { Ending, Intent, RefusedAttempt, Withheld } from "../../src/store.ts";
import { Record } from "../../src/runtime/record.ts";
import type { StorePort } from "../../src/runtime/store-port.ts";
import { refuse, ruleCommand } from "../../src/gate.ts";
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

test("W10, W21: a row written to two tags is two intents, each with its outcome", async () => {
  const intents: Intent[] = [];
  const endings: Ending[] = [];
  const store = {
    intents: (given) => Promise.resolve(given.map((intent) => intents.push(intent))),
    outcomes: (given) => void endings.push(...given), unavailable: null,
  } as Partial<StorePort> as StorePort;
  const clock = { time: () => 5000, now: () => 1000 } as never;
  const record = new Record(store, clock, { policyHash: "p", configHash: "c" } as never, () => {});
  const { inputs, row } = fixture.ruleAsk();
  const commands = ["press.setpoint", "press.fan"].map((tag) =>
    ruleCommand("hold", tag, 1, inputs!, row!, 1000));
  const leave: string[] = [];
  const admitted = { admit: true, means: 1, bytes: new Uint8Array(2), clamped: false, arming: 1,
    notAfter: 2000 } as const;
  // The second one comes while the first one is under way: it waits for a commit of its own.
  for (const command of commands) {
    record.intent(command, admitted, fixture.armedTag(), () => leave.push(command.tag));
    expect(leave).not.toContain(command.tag);
    record.commit();
    await Promise.resolve();
  }
  const outcome = { outcome: "verified", code: null, exception: 0, readBack: 1 } as never;
  for (const command of commands.toReversed()) record.outcome(command, outcome, null, 1500, null);
  record.commit();
  expect(leave).toEqual(["press.setpoint", "press.fan"]);
  expect(intents.map(({ tag }) => tag)).toEqual(["press.setpoint", "press.fan"]);
  expect(endings.map(({ row: of }) => of)).toEqual([2, 1]);
});
