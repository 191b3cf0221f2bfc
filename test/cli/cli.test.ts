import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { cli } from "../../src/cli.ts";
import { prepareWasm } from "../../src/infer/prepare.ts";
import { connectors, drivers, tables } from "../../src/registry.ts";
import { models } from "../infer/models.ts";
import { workFolder } from "../support/binary.ts";
import manifest from "../../package.json" with { type: "json" };

const verbs = ["run", "check", "sim", "read", "watch", "why", "explain", "write", "arm", "disarm",
  "audit", "schema", "version"];
const host = {
  components: { drivers, connectors, tables }, workerUrl: "",
  startApi: () => { throw new Error("no API here"); },
};

let out = "";
let error = "";
const spies: { mockRestore(): void }[] = [];
beforeEach(() => {
  out = error = "";
  spies.push(
    spyOn(console, "log").mockImplementation((text: string) => { out += `${text}\n`; }),
    spyOn(console, "error").mockImplementation((text: string) => { error += `${text}\n`; }));
});
afterEach(() => { for (const spy of spies.splice(0)) spy.mockRestore(); });

test.each([["--help"], ["-h"], ["help"]])("tagwerk %s names every verb", async (word) => {
  expect(await cli([word], host)).toBe(0);
  for (const verb of verbs) expect(out).toMatch(new RegExp(`^  ${verb}\\b.*\\w`, "m"));
  expect(out).not.toMatch(/\[[^\]]*$/m);
  expect(out.split("\n").filter((line) => [...line].length > 100)).toEqual([]);
});

test("without a word it shows the same, and its exit code says that nothing was done", async () => {
  expect(await cli([], host)).toBe(2);
  expect(out).toContain("tagwerk VERB");
});

test.each(verbs)("help %s and %s --help say what it takes, with each option", async (verb) => {
  expect(await cli(["help", verb], host)).toBe(0);
  expect(out).toStartWith(`tagwerk ${verb}`);
  const first = out;
  out = "";
  expect(await cli([verb, "--help"], host)).toBe(0);
  expect(out).toBe(first);
});

test.each([
  [["red"], 'there is no verb "red"; did you mean read?'],
  [["help", "chek"], 'there is no verb "chek"; did you mean check?'],
  [["frobnicate"], 'there is no verb "frobnicate"\n'],
  [["functions", "flor"], "there is no function flor(); did you mean floor?"],
  [["check"], "GATEWAY.json is missing\nusage: tagwerk check GATEWAY.json"],
  [["run", "x.json", "--linsk", "f"], "Unknown option '--linsk'"],
  [["run", "x.json", "--log", "loud"], '--log is one of debug, info, warn, error, not "loud"'],
  [["arm", "press.setpoint", "--by", "anna"], "--for wants a time with a unit, as 60m"],
  [["arm", "press.setpoint", "--for", "60"], "--for wants a time with a unit, as 60m"],
  [["arm", "press.setpoint", "--for", "60m"], "--by NAME is missing"],
  [["arm", "press.setpoint", "--for", "2h", "--by", "a"], "an arming lasts at most 60m"],
  [["disarm"], "--by NAME is missing"],
  [["write", "press.setpoint"], "VALUE is missing"],
  [["write", "press.setpoint", "hot"], 'VALUE is a number as 42.5, or true or false, not "hot"'],
  [["write", "press.setpoint", ""], 'VALUE is a number as 42.5, or true or false, not ""'],
  [["write", "press.setpoint", " "], 'VALUE is a number as 42.5, or true or false, not " "'],
  [["write", "press.setpoint", "0x20"], 'VALUE is a number as 42.5, or true or false, not "0x20"'],
  [["write", "press.setpoint", "1e999"],
    'VALUE is a number as 42.5, or true or false, not "1e999"'],
  [["write", "press.fan", "2", "5"], '"5" is one word too many\nusage: tagwerk write TAG VALUE'],
  [["arm", "press.fan", "press.setpoint", "--for", "5m", "--by", "a"], "one word too many"],
  [["check", "a.json", "b.json"], '"b.json" is one word too many'],
  [["write", "press.setpoint", "1", "--within", "5"], "--within wants a time with a unit, as 5s"],
  [["watch", "--every", "0s"], "--every wants a time with a unit, as 500ms or 2s"],
  [["sim", "x.json", "--links-out"], "argument missing"],
])("wrong usage %j", async (argv, said) => {
  expect(await cli(argv, host)).toBe(2);
  expect(error).toContain(said);
  expect(out).toBe("");
});

test("a number below zero is a value, no option", async () => {
  for (const argv of [["a.b", "-5"], ["a.b", "-.5", "--within", "1s"], ["a.b", "--", "-5"]]) {
    error = "";
    expect(await cli(["write", "--store", "/nowhere", ...argv], host)).toBe(1);
    expect(error).toContain("[not-running]");
  }
});

test("a text with a mark of the byte order is read as it stands", async () => {
  const folder = workFolder();
  const file = folder.write("gateway.json", '\uFEFF{ "gateway": { "id": "t" }, "nonsense": 1 }');
  expect(await cli(["check", file], host)).toBe(1);
  expect(out).not.toContain("no JSON value");
  expect(out).toContain("nonsense: unknown setting");
  folder.remove();
});

test("a text that no parser could follow is refused with its line", async () => {
  const folder = workFolder();
  for (const text of ["[".repeat(200_000), '{"a":'.repeat(50_000)]) {
    error = "";
    const file = folder.write("deep.json", text);
    expect(await cli(["check", file], host)).toBe(1);
    expect(error).toContain("deep.json:1 more than 100 braces and brackets are open here");
  }
  folder.remove();
});

test("check opens each model: the file, its form, and what rules give it", async () => {
  await prepareWasm();
  const folder = workFolder();
  folder.write("broken.onnx", "no model");
  writeFileSync(join(folder.path, "two.onnx"), models.identity(1, [1, 2]));
  const model = (file: string) => ({ file, memory: "32MB", deadline: "20ms" });
  const file = folder.write("gateway.json", {
    gateway: { id: "t" }, links: { plc: { type: "modbus-tcp", host: "127.0.0.1" } },
    devices: { d: { link: "plc", groups: { fast: "1s" }, tags: {
      a: { at: "input 0", type: "float32" } } } },
    models: { gone: model("gone.onnx"), broken: model("broken.onnx"), folder: model("."),
      two: model("two.onnx") },
    rules: { fits: { sql: "SELECT infer('two', a, a) AS v FROM d.fast" },
      not: { sql: "SELECT infer('two', a) AS v FROM d.fast" } },
    store: { directory: "./store" },
  });
  expect(await cli(["check", file], host)).toBe(1);
  for (const name of ["gone", "broken", "folder"]) {
    expect(out).toMatch(
      new RegExp(`gateway\\.json:\\d+:\\d+ models\\.${name}\\.file: .+\n  found: "`));
  }
  expect(out).toMatch(/rules\.not\.sql: The model two takes 2 numbers, infer\(\) gives it 1/);
  expect(out).toContain("4 problems in ");
  folder.remove();
});

test("what the world refuses is a sentence with its code, exit code 1", async () => {
  expect(await cli(["check", "/nowhere/gateway.json"], host)).toBe(1);
  expect(error).toBe("tagwerk: There is no file /nowhere/gateway.json [unknown-file]\n");
  error = "";
  expect(await cli(["read", "--store", "/nowhere"], host)).toBe(1);
  expect(error).toContain("No Tagwerk answers at /nowhere/tagwerk.sock");
  expect(error).toContain("[not-running]");
});

test("version names version and target; schema is JSON", async () => {
  expect(await cli(["version"], host)).toBe(0);
  expect(out).toStartWith(`tagwerk ${manifest.version} (`);
  out = "";
  expect(await cli(["schema"], host)).toBe(0);
  expect(Object.keys(JSON.parse(out).properties)).toContain("devices");
});
