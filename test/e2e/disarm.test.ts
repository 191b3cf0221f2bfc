import { expect, test } from "bun:test";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { binary, Program, workFolder } from "../support/binary.ts";

test("W4: disarm latches the machine's own store, also beside a simulation", async () => {
  const folder = workFolder({ "gateway.json": { store: { directory: "./store" } } });
  mkdirSync(join(folder.path, "store-simulation"));
  const program = new Program([await binary(), "disarm", "--by", "test"], { cwd: folder.path });
  expect(await program.child.exited).toBe(0);
  await program.stop();
  for (const store of ["store", "store-simulation"]) {
    expect(existsSync(join(folder.path, store, "latch")), store).toBe(true);
    expect(program.output).toContain(join(folder.path, store));
  }
  folder.remove();
}, 60_000);
