import { afterAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { opcua } from "../../../src/driver.ts";
import { workFolder } from "../../support/binary.ts";

const folder = workFolder();
afterAll(() => folder.remove());

test("W6: what takes long is there before a link opens: our certificate and its key", async () => {
  await opcua.load(folder.path);
  for (const file of ["own.certificate.der", "own.key.pem"]) {
    expect(existsSync(join(folder.path, file))).toBe(true);
  }
}, 60_000);

test("a folder that takes nothing does not keep the library from loading", async () => {
  await opcua.load(folder.write("a-file", ""));
}, 60_000);
