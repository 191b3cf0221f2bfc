import { describe, expect, test } from "bun:test";
import { deviations, runSet, sets } from "./sets.ts";
import { cases, directory } from "./vectors.ts";

const found = directory();

describe("conformance: of what is supported, nothing fails", () => {
  for (const set of sets) {
    test.skipIf(found === null)(set, () => {
      const { passed, failed } = runSet(found!, set);
      expect(failed).toEqual([]);
      expect(passed).toBeGreaterThan(0);
    });
  }

  test.skipIf(found === null)("the parser's set is run wholly", () => {
    expect(runSet(found!, "parser").unsupported.size).toBe(0);
  });

  test.skipIf(found === null)("deviations are real cases, with a reason, and few", () => {
    const ids = new Set(sets.flatMap((set) => cases(found!, set).map((c) => c.id)));
    for (const [id, reason] of deviations()) {
      expect(ids).toContain(id);
      expect(reason.length).toBeGreaterThan(20);
    }
    expect(deviations().size).toBeLessThan(ids.size * 0.03);
  });
});
