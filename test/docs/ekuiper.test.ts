import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "jsonc-parser";
import { bindSelect } from "../../src/sql/bind.ts";
import { compile } from "../../src/sql/compile.ts";
import { parseQuery } from "../../src/sql/parser.ts";
import { evaluateQuery } from "../evaluate/evaluate.ts";
import { catalog } from "../sql/catalog.ts";
import { root } from "./generate.ts";

const page = readFileSync(join(root, "docs/ekuiper.md"), "utf8");

/** Rows of the table under a header. */
function table(header: string): string[][] {
  const from = page.indexOf(`| ${header} |`);
  expect(from).toBeGreaterThan(0);
  const [, , ...rows] = page.slice(from, page.indexOf("\n\n", from)).split("\n");
  return rows.map((row) => row.split(" | ").map((cell) => cell.replace(/^\| | \|$/g, "")));
}

const bare = (cell: string): string => cell.replace(/^`|`$/g, "");

function valueOf(expr: string): unknown {
  const sql = `SELECT ${expr} AS x FROM orders`;
  const query = bindSelect(sql, parseQuery(sql), catalog);
  const { rows } = evaluateQuery(query, [{ time: 0, flags: 0, cells: new Map() }]);
  return [query.select[0]!.expr.type.kind, rows[0]!.cells.get("x")!.value];
}

describe("what means something else", () => {
  for (const [expr, , here] of table("expression | eKuiper | here")) {
    test(`${expr} = ${here}`, () => expect(valueOf(bare(expr!))).toEqual(valueOf(bare(here!))));
  }
});

describe("what is refused before it runs", () => {
  for (const [sql, says] of table("query | `check` says")) {
    test(sql!, () => expect(() => compile(bare(sql!), catalog)).toThrow(says!));
  }
});

test("the query of the rule that is moved is the same", () => {
  const theirs = parse(/^```json\n([^]*?)^```$/m.exec(page)![1]!);
  const ours = parse(`{${/^```jsonc\n([^]*?)^```$/m.exec(page)![1]}}`);
  expect(ours.rules[theirs.id].sql).toBe(theirs.sql);
  expect(ours.rules[theirs.id].schedule.cron).toBe(theirs.options.cron);
});
