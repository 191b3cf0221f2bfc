import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { load, problemText, type Gateway } from "../../src/config.ts";
import { readPlant, simulated, Simulation } from "../../src/sim.ts";
import { componentSchemas } from "../../src/cli/examine.ts";
import { connectors, drivers, tables } from "../../src/registry.ts";

/** What docs/simulate.md shows is run as it stands there, on the demo's configuration. */
const root = resolve(import.meta.dir, "../..");
const demo = join(root, "examples/demo");
const manual = readFileSync(join(root, "docs/simulate.md"), "utf8");

function shown(what: string): string {
  const block = new RegExp(`<!-- test: ${what} -->\\n\`\`\`\\w+\\n([^]*?)\`\`\``).exec(manual);
  expect(block).not.toBeNull();
  return block![1]!;
}

function demoGateway(): Gateway {
  const path = join(demo, "gateway.json");
  const { gateway, problems } = load(readFileSync(path, "utf8"), {
    path, env: {}, components: componentSchemas({ drivers, connectors, tables }),
    readFile: (file) => readFileSync(resolve(dirname(path), file), "utf8"),
  });
  expect(problems.map((problem) => problemText(problem, path))).toEqual([]);
  return gateway!;
}

const gateway = demoGateway();
const tags = simulated(gateway, drivers).flatMap((part) => part.signals);

test.each([
  ["the manual", shown("plant")],
  ["the demo", readFileSync(join(demo, "plant.json"), "utf8")],
])("the plant file of %s is right", (_whose, text) => {
  expect(readPlant(text, "plant.json", tags).problems).toEqual([]);
});

test("each kind of behaviour stands in the manual's table", () => {
  const { problems } = readPlant(`{"press.heater":{"kind":"?"}}`, "plant.json", tags);
  const kinds = problems[0]!.message.replace("kind is one of ", "").split(", ");
  expect(kinds.length).toBeGreaterThan(8);
  for (const kind of kinds) expect(manual).toContain(`\`${kind}\``);
});

test("each command of the manual is taken", () => {
  const simulation = new Simulation({
    gateway, drivers, seed: 1, speed: 1, now: 0,
    behaviours: readPlant(shown("plant"), "plant.json", tags).behaviours,
    out: () => ({ send: () => {}, close: () => {} }), record: () => {},
  });
  const lines = shown("commands").trim().split("\n");
  expect(lines.length).toBeGreaterThan(10);
  for (const line of lines) expect(simulation.command(line, 0)).toBeObject();
});

test("the loop of the demo's plant closes by its model's law, and by nothing less", () => {
  const { behaviours } = readPlant(
    readFileSync(join(demo, "plant.json"), "utf8"), "plant.json", tags);
  const run = (control: (temperature: number, ambient: number) => number | null): number => {
    const { plant } = new Simulation({
      gateway, drivers, seed: 3, speed: 1, now: 0, behaviours,
      out: () => ({ send: () => {}, close: () => {} }), record: () => {},
    });
    let worst = 0;
    for (let poll = 0; poll < 300; poll++) {
      if (poll === 120 || poll === 255) plant.set("press.door_closed", poll === 120 ? 0 : 1);
      const valve = control(plant.value("press.temperature"), plant.value("press.ambient"));
      // What a poll reads is written a little later.
      plant.step(50);
      if (valve !== null) plant.write("press.heater", valve);
      plant.step(50);
      if (poll >= 200) worst = Math.max(worst, Math.abs(plant.truth("press.temperature") - 60));
    }
    return worst;
  };
  const clip = (valve: number): number => Math.min(100, Math.max(0, valve));
  expect(run((t, ambient) => clip(60 - ambient + 40 * (60 - t)))).toBeLessThan(0.8);
  expect(run(() => null)).toBeGreaterThan(5);
  expect(run(() => 40)).toBeGreaterThan(5);
});
