/** `bun run docs`: writes into the pages what they take from the code. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { filled, pages, root } from "./docs/generate.ts";

for (const page of pages) {
  const path = join(root, page);
  const before = readFileSync(path, "utf8");
  const after = filled(before);
  if (after === before) continue;
  writeFileSync(path, after);
  console.log(`${page} written`);
}
