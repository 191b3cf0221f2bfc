import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** `tagwerk sim` as a person uses it, on the demo's files. */
const root = resolve(import.meta.dir, "../..");
const directory = mkdtempSync(join(tmpdir(), "sim-verb-"));
const tagwerk = [process.execPath, join(root, "src/main.ts")];

function start(...args: string[]) {
  return Bun.spawn([...tagwerk, "sim", ...args], {
    cwd: directory, stdin: "pipe", stdout: "pipe", stderr: "pipe",
  });
}

beforeAll(() => {
  for (const name of ["gateway.json", "write-policy.json", "plant.json"]) {
    copyFileSync(join(root, "examples/demo", name), join(directory, name));
  }
});
afterAll(() => rmSync(directory, { recursive: true }));

test("starts, takes commands from both sides, stops on SIGTERM", async () => {
  const sim = start("gateway.json", "--plant", "plant.json", "--log", "frames.jsonl");
  const output = sim.stdout.getReader();
  let text = "";
  const until = async (part: string): Promise<void> => {
    while (!text.includes(part)) {
      const { done, value } = await output.read();
      if (done) throw new Error(`ended with: ${text}`);
      text += new TextDecoder().decode(value);
    }
  };
  await until("written to sim-links.json");
  expect(Object.keys(JSON.parse(readFileSync(join(directory, "sim-links.json"), "utf8")).links))
    .toEqual(["plc-1", "bus-1"]);

  sim.stdin.write("get press.target\n");
  sim.stdin.end();
  await until(`{"ok":true,"value":60,"truth":60}`);

  const sent = start("--send", "set press.target 61");
  expect(await sent.stdout.text()).toBe(`{"ok":true,"value":61}\n`);
  expect(await sent.exited).toBe(0);
  const wrong = start("--send", "fault plc-1 silense");
  expect(await wrong.stdout.text()).toContain("silence was meant");
  expect(await wrong.exited).toBe(1);

  sim.kill("SIGTERM");
  expect(await sim.exited).toBe(0);
  expect(existsSync(join(directory, "sim.sock"))).toBe(false);
  expect(readFileSync(join(directory, "frames.jsonl"), "utf8")).toContain(`"dir":"open"`);
});

test("says what is wrong with a plant file, and where", async () => {
  writeFileSync(join(directory, "wrong.json"), `{\n  "press.heatr": { "kind": "follow" }\n}\n`);
  const sim = start("gateway.json", "--plant", "wrong.json");
  expect(await sim.stderr.text()).toContain("wrong.json:2:");
  expect(await sim.exited).toBe(1);
});

test("says when there is nobody to send to", async () => {
  const sent = start("--send", "status", "--control", "nobody.sock");
  expect(await sent.stderr.text()).toContain("No simulator answers at nobody.sock");
  expect(await sent.exited).toBe(1);
});
