import { expect, test } from "bun:test";
import type { TagPolicy } from "../../src/config.ts";
import { widenings } from "../../src/gate.ts";

const policy: TagPolicy = {
  allow: ["rule:hold", "cli"], maxMode: "shadow", min: 0, max: 100, texts: null,
  outside: "clamp", maxStep: 5,
  deadband: 1, minInterval: 1000, writesPerDay: 100, inputMaxAge: 500, permit: ["a.b", "c.d"],
  maxAge: 1000, onLoss: { after: 1000, value: 5, step: "limited" }, readBack: null,
};

/** Each key one step to either side: what lets less through is narrower, all else is wider. */
const steps: { [Key in keyof TagPolicy]: { narrower: TagPolicy[Key][]; wider: TagPolicy[Key][] } } =
{
  allow: { narrower: [["cli"], []], wider: [["rule:hold", "cli", "rest"], ["mqtt"]] },
  maxMode: { narrower: ["off"], wider: ["armed"] },
  min: { narrower: [1], wider: [-1] },
  max: { narrower: [99], wider: [101] },
  texts: { narrower: [null], wider: [{ values: [] }, { pattern: "A" }] },
  outside: { narrower: ["reject"], wider: [] },
  maxStep: { narrower: [4], wider: [6, null] },
  deadband: { narrower: [2], wider: [0] },
  minInterval: { narrower: [2000], wider: [10] },
  writesPerDay: { narrower: [99], wider: [101] },
  inputMaxAge: { narrower: [400], wider: [501] },
  permit: { narrower: [["a.b", "c.d", "e.f"], ["c.d", "a.b"]], wider: [["a.b"], [], ["a.b OR x"]] },
  maxAge: { narrower: [10], wider: [1001] },
  onLoss: { narrower: [], wider: [null, { after: 1000, value: 6, step: "limited" },
    { after: 500, value: 5, step: "limited" }, { after: 1000, value: "hold", step: "limited" }] },
  readBack: { narrower: [], wider: ["none"] },
};

test.each(Object.keys(steps) as (keyof TagPolicy)[])("%s", (key) => {
  for (const value of steps[key].narrower) {
    expect(widenings(policy, { ...policy, [key]: value }), JSON.stringify(value)).toEqual([]);
  }
  for (const value of steps[key].wider) {
    expect(widenings(policy, { ...policy, [key]: value }), JSON.stringify(value)).toEqual([key]);
  }
});

test("fewer texts are narrower, and of two patterns nobody can tell", () => {
  const texts = (one: TagPolicy["texts"]): TagPolicy => ({ ...policy, texts: one });
  const from = (before: TagPolicy["texts"], after: TagPolicy["texts"]): string[] =>
    widenings(texts(before), texts(after));
  expect(from({ values: ["A", "B"] }, { values: ["B"] })).toEqual([]);
  expect(from({ values: ["A"] }, { values: ["A", "B"] })).toEqual(["texts"]);
  expect(from({ pattern: "A+" }, { pattern: "A+" })).toEqual([]);
  expect(from({ pattern: "A+" }, { pattern: "A" })).toEqual(["texts"]);
  expect(from({ pattern: "A+" }, { values: ["A"] })).toEqual(["texts"]);
});

test("the same is not wider; a tag that the policy did not name is", () => {
  expect(widenings(policy, structuredClone(policy))).toEqual([]);
  expect(widenings(undefined, policy)).toHaveLength(1);
});

test("outside: reject does not become clamp; any step comes to a bound", () => {
  expect(widenings({ ...policy, outside: "reject" }, policy)).toEqual(["outside"]);
  expect(widenings({ ...policy, maxStep: null }, policy)).toEqual([]);
});
