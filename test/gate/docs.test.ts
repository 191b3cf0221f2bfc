import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { policySchema } from "../../src/config/schema.ts";
import { refusals } from "../../src/gate.ts";

const text = readFileSync(join(import.meta.dir, "../../docs/writing.md"), "utf8");

test("docs/writing.md has each refusal in the gate's order, with sentence and what to do", () => {
  const table = text.slice(text.indexOf("## Refusals"));
  const rows = [...table.matchAll(/^\| `([a-z-]+)` \| (.+?) \| (.+) \|$/gm)];
  expect(rows.map(([, code, sentence]) => [code, sentence])).toEqual(Object.entries(refusals));
  for (const [, code, , remedy] of rows) expect(`${code} ${remedy}`).toMatch(/\.$/);
});

test("the policy that docs/writing.md shows is one", () => {
  const [, shown] = /```jsonc\n([\s\S]+?)```/.exec(text)!;
  const policy = policySchema.parse(JSON.parse(shown!.replace(/\/\/.*$/gm, "")));
  expect(policy["press.setpoint"]).toMatchObject({ max: 80, inputMaxAge: 500, maxMode: "armed" });
});
