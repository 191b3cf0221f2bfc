import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { filled, pages, root } from "./generate.ts";

for (const page of pages) {
  test(`${page} says what the code says (bun run docs writes it)`, () => {
    const text = readFileSync(join(root, page), "utf8");
    expect(text).toBe(filled(text));
  });
}

test("the reference has every function, and the dialect its operators and limits", () => {
  const marks = pages.flatMap((page) =>
    [...readFileSync(join(root, page), "utf8").matchAll(/^<!-- generated: (.*) -->$/gm)]
      .map(([, name]) => `${page} ${name}`));
  expect(marks).toEqual(expect.arrayContaining(["docs/functions.md functions",
    "docs/functions.md units", "docs/sql.md operators", "docs/sql.md limits",
    "docs/sql.md words", "docs/ekuiper.md deviations", "docs/ekuiper.md absent-functions"]));
});
