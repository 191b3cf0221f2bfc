import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readFileSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "jsonc-parser";
import { binary, Program, until, workFolder } from "../support/binary.ts";

/** docs/pid.md from its first line to its last, with the files that it shows and a shell. */
const page = readFileSync(join(resolve(import.meta.dir, "../.."), "docs/pid.md"), "utf8");
const block = (language: string): string =>
  new RegExp(`^\`\`\`${language}\\b.*\n([^]*?)^\`\`\`$`, "m").exec(page)![1]!;
const lines = [...page.matchAll(/^```sh\n([^]*?)^```$/gm)].flatMap(([, text]) => text!.split("\n"))
  .map((line) => line.replace(/\s+#.*$/, "").trim()).filter((line) => line !== "");

const folder = workFolder();
const running: Program[] = [];
const program = (line: string): Program => new Program(["sh", "-c", `exec ${line}`], {
  cwd: folder.path, env: { PATH: `${folder.path}:${process.env["PATH"]}` } });

async function shell(line: string): Promise<string> {
  const child = program(line);
  child.child.stdin.write("yes\n");
  child.child.stdin.end();
  const code = await child.child.exited;
  await child.stop();
  if (code !== 0) throw new Error(`${line}: ${child.output}`);
  return child.output;
}

async function tag(name: string): Promise<number> {
  const [read] = JSON.parse(await shell(`tagwerk read vessel.${name} --json`)) as
    { value: number | boolean }[];
  return Number(read!.value);
}

beforeAll(async () => {
  symlinkSync(await binary(), join(folder.path, "tagwerk"));
  folder.write("gateway.json", { ...parse(block("jsonc")), api: { listen: "127.0.0.1:0" } });
  folder.write("plant.json", block("json"));
}, 60_000);
afterAll(async () => {
  for (const child of running.reverse()) await child.stop();
  folder.remove();
});

/** What must be true after a line of the page. */
const then: Readonly<Record<string, () => Promise<boolean>>> = {
  "tagwerk sim gateway.json --plant plant.json": async () =>
    existsSync(join(folder.path, "sim-links.json")),
  "tagwerk run gateway.json --links sim-links.json": async () => await tag("temperature") > 20,
  "tagwerk arm vessel.valve --for 30m --by Ada": async () => await tag("valve") === 25,
  'tagwerk sim --send "set vessel.auto 1"': async () =>
    Math.abs(await tag("temperature") - 60) < 0.3 && Math.abs(await tag("valve") - 50) < 1,
  'tagwerk sim --send "set vessel.temperature 75 for 2s"': async () => await tag("valve") < 20,
  'tagwerk sim --send "set vessel.auto 0"': async () => await tag("auto") === 0,
};

test("each line of the page does what the page says", async () => {
  expect(lines.filter((line) => line in then)).toHaveLength(Object.keys(then).length);
  for (const line of lines) {
    if (/^tagwerk (?:run|watch|sim gateway)/.test(line)) {
      const child = program(line);
      running.push(child);
      await until(`${line} says something`, () => child.output.length > 0);
      if (line.includes("watch")) await running.pop()!.stop("SIGINT");
    } else expect(await shell(line), line).toMatch(/./);
    const wanted = then[line];
    if (wanted === undefined) continue;
    await until(`after ${line}`, () => wanted().catch(() => false), 60_000);
  }
  expect(await shell("tagwerk audit vessel.valve --limit 1000")).toContain("verified");
}, 180_000);
