import { expect, test } from "bun:test";
import { join, resolve } from "node:path";
import { binary, Program } from "../support/binary.ts";
import { peer } from "../support/peer.ts";

const root = resolve(import.meta.dir, "../..");
const qemu = peer("qemu-aarch64-static");

// Must-show B. The emulated processor is some tens of times slower: plant, polls, deadlines and
// timeouts are stretched by the demo's own configuration.
test.skipIf(qemu === null)("the arm64 binary runs the demo loop: TCP, RTU, rule, model, write",
  async () => {
  const arm = `${qemu} -L /usr/aarch64-linux-gnu ${await binary("linux-arm64")}`;
  const demo = new Program(["bun", join(root, "examples/demo/demo.ts"), "--seconds", "45",
    "--slow", "10", "--binary", arm], { cwd: root });
  const code = await demo.child.exited;
  await demo.stop();
  expect(demo.output).toContain("the loop is closed");
  expect(code).toBe(0);
}, 180_000);
