import { expect, test } from "bun:test";
import { join } from "node:path";
import { Program } from "../support/binary.ts";

const watched = (...args: string[]): Program =>
  new Program(["bun", join(import.meta.dir, "watched.ts"), ...args]);

test("W6: a main thread that takes no turn is ended by the thread that watches it", async () => {
  const program = watched("stall");
  await program.child.exited;
  await program.stop();
  expect(program.output).toContain("turned for 1500 ms");
  expect(program.output).toContain("no turn for 400 ms; ending");
  expect(program.child.signalCode).toBe("SIGKILL");
}, 15_000);

test("W6: one that turns is left alone", async () => {
  const program = watched();
  expect(await program.child.exited).toBe(0);
  await program.stop();
  expect(program.output).not.toContain("ending");
}, 15_000);
