import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { cells } from "../../examples/driver/cells/driver.ts";
import { examine } from "../../src/cli/examine.ts";
import { connectors, drivers, tables } from "../../src/registry.ts";
import { workFolder } from "../support/binary.ts";

/**
 * The page's driver is compiled and held to the contract by test/contract; here its configuration
 * is one that a binary with its line in the registry takes, and its mistakes are told.
 */
const page = readFileSync(resolve(import.meta.dir, "../../docs/driver-contract.md"), "utf8");
const parts = /^```jsonc\n([^]*?)^```$/m.exec(page)![1]!;
const components = { drivers: [...drivers, cells], connectors, tables };

function check(text: string): { fits: boolean; text: string } {
  const folder = workFolder({ "gateway.json":
    `{ "gateway": { "id": "box" }, "rules": {}, ${text} }` });
  const { graph, texts } = examine(join(folder.path, "gateway.json"), components, null);
  folder.remove();
  return { fits: graph !== null, text: texts.join("\n") };
}

test("its configuration is one", () => {
  const { fits, text } = check(parts);
  expect([fits, text]).toEqual([true, expect.any(String)]);
});

test("one line is enough: settings and addresses are checked by what the driver says", () => {
  expect(check(parts.replace("cell 12", "holding 12")).text)
    .toContain("`holding 12` is no cell; write `cell 12` (0 to 65535)");
  expect(check(parts.replace('"host"', '"hots"')).text).toContain('did you mean "host"?');
  expect(check(parts.replace('"cells"', '"cell"')).text).toContain('did you mean "cells"?');
});
