import { expect, test } from "bun:test";
import { join, resolve } from "node:path";
import { binary, Program } from "../support/binary.ts";

const root = resolve(import.meta.dir, "../..");

async function demo(...options: string[]): Promise<{ code: number; output: string }> {
  await binary();
  const program = new Program(["bun", join(root, "examples/demo/demo.ts"), ...options],
    { cwd: root });
  const code = await program.child.exited;
  await program.stop();
  return { code, output: program.output };
}

// Must-show A.
test("the demo closes its loop and says so", async () => {
  const { code, output } = await demo("--seconds", "20");
  expect(output).toContain("the loop is closed");
  expect(code).toBe(0);
}, 120_000);

test("without arming, or with a model that always says the same, it fails", async () => {
  const unarmed = await demo("--seconds", "20", "--unarmed");
  const frozen = await demo("--seconds", "20", "--freeze-model");
  expect(unarmed.output).toContain("THE LOOP IS NOT CLOSED");
  expect(unarmed.code).toBe(1);
  expect(frozen.output).toContain("THE LOOP IS NOT CLOSED");
  expect(frozen.code).toBe(1);
}, 120_000);
