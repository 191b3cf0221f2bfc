import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "jsonc-parser";
import { readSimLinks } from "../../src/config.ts";
import { binary, Program, until, workFolder } from "../support/binary.ts";
import { peer } from "../support/peer.ts";

/**
 * Every `tagwerk …` and `curl …` line of README and docs is run by a shell, in page order, beside a
 * simulated plant and the compiled binary: in the folder of an engineer who has done what README
 * says up to there.
 */
const root = resolve(import.meta.dir, "../..");
const pages = ["README.md", ...new Bun.Glob("docs/*.md").scanSync(root)].sort();
/** Have plants of their own (test/docs/pid.test.ts, test/e2e/opcua.test.ts). */
const elsewherePages = ["docs/pid.md", "docs/opcua.md"];
const folder = workFolder();
const token = "a-token-of-this-test";
let sim: Program | null = null;
let run: Program | null = null;
let api = "";

const readme = readFileSync(join(root, "README.md"), "utf8");

function readmeBlock(beginning: string): any {
  const blocks = [...readme.matchAll(/```jsonc\n([\s\S]*?)```/g)].map(([, text]) => text!);
  return parse(blocks.find((text) => text.startsWith(beginning))!);
}

/** The rule that docs/alarms.md shows. */
function alarmRule(): object {
  const text = readFileSync(join(root, "docs/alarms.md"), "utf8");
  const [, block] = /^```jsonc\n([^]*?)^```$/m.exec(text)!;
  return (parse(`{${block}}`) as { rules: { watch: object } }).rules.watch;
}

/** README's press, with the tag that its policy names and a rule that writes it. */
function gateway(): object {
  const config = readmeBlock("{");
  const { tags, groups } = config.devices.press;
  groups.slow = "500ms";
  tags.setpoint = { at: "holding 9", type: "float32", group: "slow", access: "read-write" };
  return {
    ...config, policy: "file:write-policy.json", sinks: { log: { type: "log" } },
    rules: { hold: {
      sql: "SELECT temperature * 0 + 40 AS target FROM press.fast",
      to: [{ write: "press.setpoint", from: "target" }, "log"],
    }, watch: { ...alarmRule(), to: ["log"] } },
    api: { listen: "127.0.0.1:0", token: "env:TAGWERK_TOKEN" },
  };
}

const env = { PATH: `${folder.path}:${process.env["PATH"]}`, TAGWERK_TOKEN: token };
const program = (line: string): Program =>
  new Program(["sh", "-c", `exec ${line}`], { cwd: folder.path, env });
const plantLine = "tagwerk sim gateway.json";
const runLine = "tagwerk run gateway.json --links sim-links.json";

beforeAll(async () => {
  symlinkSync(await binary(), join(folder.path, "tagwerk"));
  folder.write("gateway.json", gateway());
  const { rules, ...rest } = gateway() as { rules: object };
  folder.write("new.json", { ...rest,
    rules: { ...rules, warm: { sql: "SELECT temperature FROM press.fast", to: ["log"] } } });
  const policy = readmeBlock("// write-policy.json");
  policy["press.setpoint"].allow.push("cli", "prove");
  folder.write("write-policy.json", policy);
  sim = program(plantLine);
  await until("the plant is up", () => existsSync(join(folder.path, "sim-links.json")));
  run = program(runLine);
  await until("every tag is read", async () => (await shell("tagwerk read")).code === 0);
  api = await until("Tagwerk is up", () => /api=(http\S+)\//.exec(run!.output)?.[1]);
}, 60_000);

afterAll(async () => {
  await run?.stop();
  await sim?.stop();
  folder.remove();
});

/** Lines of a page's shell blocks, continued ones as one, without their comments. */
function shellLines(page: string): string[] {
  const text = readFileSync(join(root, page), "utf8");
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)]
    .flatMap(([, block]) => block!.replace(/\\\n\s*/g, "").split("\n"))
    .map((line) => line.replace(/\s+#.*$/, "").replace(/^sudo -u tagwerk /, "").trim())
    .filter((line) => line !== "");
}

async function shell(line: string, input = ""): Promise<{ code: number; output: string }> {
  const child = program(line);
  child.child.stdin.write(input);
  child.child.stdin.end();
  const code = await child.child.exited;
  await child.stop();
  return { code, output: child.output };
}

/** Starts what does not end by itself, waits until it shows something, and ends it. */
async function started(line: string, sign: RegExp): Promise<Program> {
  const child = program(line);
  await until(`${line} shows ${sign}`, () => sign.test(child.output));
  return child;
}

const lifted = (): Promise<unknown> => shell("tagwerk disarm --clear --by test");

/** Has a plant, a store and a control socket of its own, so a folder too. */
async function simulate(line: string): Promise<void> {
  const apart = workFolder({ "gateway.json": gateway() });
  apart.write("write-policy.json", readFileSync(join(folder.path, "write-policy.json"), "utf8"));
  const child = new Program(["sh", "-c", `exec ${line} --store store`], { cwd: apart.path, env });
  try {
    await until(`${line} is up`, () => child.output.includes("is up"));
    expect(await child.stop("SIGTERM"), child.output).toBe(0);
  } finally {
    await child.stop("SIGKILL");
    apart.remove();
  }
}

/** A bus that nobody uses yet: one that is simulated, as the link of a configuration of its own. */
async function scan(line: string): Promise<void> {
  const bus = { type: "modbus-rtu", port: "/dev/ttyS1", rs485: "adapter", parity: "none",
    baud: 115200, timeout: "30ms" };
  const config = { gateway: { id: "scan" }, links: { "bus-1": bus }, store: { directory: "store" },
    devices: { meter: { link: "bus-1", station: 2, groups: { slow: "1s" },
      tags: { power: { at: "input 0", type: "float32" } } } } };
  const apart = workFolder({ "gateway.json": config });
  const plant = new Program(["sh", "-c", `exec ${plantLine}`], { cwd: apart.path, env });
  try {
    await until("the bus is there", () => plant.output.includes("commands:"));
    const { links } = readSimLinks(
      readFileSync(join(apart.path, "sim-links.json"), "utf8"), "sim-links.json");
    apart.write("gateway.json", { ...config, links: { "bus-1": { ...bus, ...links["bus-1"] } } });
    const child = new Program(["sh", "-c", `exec ${line}`], { cwd: apart.path, env });
    const code = await child.child.exited;
    await child.stop();
    expect([code, child.output]).toEqual([0, expect.stringMatching(/station 2 answers/)]);
  } finally {
    await plant.stop("SIGKILL");
    apart.remove();
  }
}

async function check(line: string): Promise<void> {
  const verb = line.split(" ")[1]!;
  if (line === plantLine || line === runLine) return;
  if (line.endsWith("--simulate")) return await simulate(line);
  if (line.startsWith("curl ")) {
    const { code, output } = await shell(line.replaceAll("http://127.0.0.1:8600", api));
    expect(code, output).toBe(0);
    expect(JSON.parse(output)).toMatchObject({ outcome: expect.any(String) });
  } else if (verb === "run" || verb === "watch") {
    const child = await started(line, verb === "run" ? /is up/ : /good/);
    const code = await child.stop(verb === "run" ? "SIGTERM" : "SIGINT");
    if (verb === "run") expect(code, child.output).toBe(0);
  } else if (verb === "frames") {
    await (await started(line, /FC|"n":/)).stop("SIGINT");
  } else if (verb === "scan") {
    await scan(line);
  } else if (verb === "fat-report") {
    const { code, output } = await shell(line);
    expect(code, output).toBe(0);
    const page = readFileSync(join(folder.path, line.split("> ")[1]!), "utf8");
    expect(page).toContain("<td>press.setpoint</td>");
  } else if (verb === "prove") {
    // It may be armed by the page before; disarming ends that. Its value is inside the limits.
    await shell('tagwerk sim --send "set press.setpoint 40"');
    await shell('tagwerk sim --send "set press.door_closed true"');
    await shell("tagwerk disarm --by test");
    await lifted();
    const { code, output } = await until("nothing is under way", async () => {
      const proved = await shell(line, "yes\n");
      return /too-soon|busy|unknown-pending|permit/.test(proved.output) ? null : proved;
    });
    expect(output).toContain("verified");
    expect(code, output).toBe(0);
  } else if (verb === "arm") {
    await lifted();
    const { code, output } = await shell(line, "yes\n");
    expect(output).toContain("is armed until");
    expect(code).toBe(0);
  } else if (verb === "ack") {
    // The alarm comes once its delay has passed.
    await until("acknowledged", async () => (await shell(line)).code === 0);
  } else {
    if (verb === "read") await until("good values", async () => (await shell(line)).code === 0);
    const { code, output } = await shell(line);
    // A write may be refused; then the gate has spoken.
    const expected = verb === "write" ? /^(verified|refused \(|unknown)/ : /./;
    expect(output, line).toMatch(expected);
    if (verb !== "write") expect(code, output).toBe(0);
    if (verb === "sim") await shell('tagwerk sim --send "clear"');
  }
}

/** What needs a bare machine, another board or root; test/docs/docs.test.ts and CI see to them. */
const elsewhere = /^(npx bun@1\.4\.5 run|scp|useradd|systemctl|journalctl) /;

for (const page of pages.filter((name) => !elsewherePages.includes(name))) {
  describe(page, () => {
    for (const line of shellLines(page)) {
      if (elsewhere.test(line)) continue;
      test.skipIf(line.startsWith("curl ") && peer("curl") === null)(line, async () => {
        expect(line).toMatch(/^(tagwerk|curl) /);
        await check(line);
      }, 30_000);
    }
  });
}

describe("docs/install.md", () => {
  const page = readFileSync(join(root, "docs/install.md"), "utf8");
  const unit = /^```ini\n([\s\S]*?)^```$/m.exec(page)![1]!;

  test("the unit restarts for ever, leaves no core and gains no rights", () => {
    for (const setting of ["Restart=always", "LimitCORE=0", "NoNewPrivileges=yes"]) {
      expect(unit.split("\n")).toContain(setting);
    }
  });

  test.skipIf(peer("systemd-analyze") === null)("systemd takes the unit", async () => {
    const here = unit.replace("/usr/local/bin/tagwerk", join(folder.path, "tagwerk"));
    folder.write("tagwerk.service", here);
    const { code, output } = await shell("systemd-analyze verify ./tagwerk.service");
    expect(output.split("\n").filter((line) => line.includes("tagwerk.service"))).toEqual([]);
    expect(code, output).toBe(0);
  });
});

describe("docs/simulate.md", () => {
  const page = readFileSync(join(root, "docs/simulate.md"), "utf8");
  const [links, frame] = [...page.matchAll(/^```json\n([\s\S]*?)^```$/gm)].map(([, text]) => text!);

  test("the sim-links.json that is shown is one", () => {
    expect(Object.keys(readSimLinks(links!, "sim-links.json").links))
      .toEqual(["plc-1", "bus-1", "broker"]);
  });

  test("a line of the frame log has the keys that are shown", async () => {
    const logged = await started(
      "tagwerk sim gateway.json --log f.jsonl --links-out l.json --control c.sock", /written to/);
    const line = await until("a frame", async () => {
      const child = program("tagwerk run gateway.json --links l.json --store other");
      await until("a frame in the log", () =>
        readFileSync(join(folder.path, "f.jsonl"), "utf8").includes('"dir":"in"'));
      await child.stop();
      return readFileSync(join(folder.path, "f.jsonl"), "utf8").split("\n")
        .find((text) => text.includes('"dir":"in"'));
    });
    await logged.stop();
    expect(Object.keys(JSON.parse(line))).toEqual(Object.keys(JSON.parse(frame!)));
  });
});

test("docs/change.md: the rows that are shown can be given to a try", async () => {
  const page = readFileSync(join(root, "docs/change.md"), "utf8");
  folder.write("rows.json", /^```json\n([\s\S]*?)^```$/m.exec(page)![1]!);
  const { code, output } = await shell(
    'tagwerk try "SELECT temperature > 80 AS hot FROM press.fast" --rows rows.json');
  expect([code, output]).toEqual([0, expect.stringContaining("2 rows of 2")]);
});

test("docs/writing.md: the body of a command is taken by the gate as one", async () => {
  const page = readFileSync(join(root, "docs/writing.md"), "utf8");
  const body = /^```json\n([\s\S]*?)^```$/m.exec(page)![1]!;
  await lifted();
  const response = await fetch(`${api}/write`, {
    method: "POST", body,
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
  });
  const { outcome, code } = await response.json() as { outcome: string; code: string | null };
  expect([outcome, code]).not.toEqual(["refused", "malformed"]);
});

/** Languages of blocks, and which test runs them; one that nobody runs fails here by name. */
const runs: Readonly<Record<string, readonly string[]>> = {
  sh: pages,
  ini: ["docs/install.md"],
  json: ["docs/change.md", "docs/ekuiper.md", "docs/pid.md", "docs/simulate.md", "docs/writing.md"],
  sql: ["README.md", "docs/sql.md", "docs/functions.md", "docs/ekuiper.md", "docs/tables.md",
    "docs/modbus.md"],
  csv: ["docs/configuration.md", "docs/messages.md"],
  ts: ["docs/driver-contract.md"],
  text: ["docs/messages.md", "docs/simulate.md"],
  jsonc: ["README.md", "docs/change.md", "docs/configuration.md", "docs/messages.md",
    "docs/models.md", "docs/rs485.md", "docs/simulate.md", "docs/sql.md", "docs/install.md",
    "docs/state.md", "docs/tables.md", "docs/writing.md",
    "docs/alarms.md", "docs/pid.md", "docs/ekuiper.md", "docs/sources.md", "docs/s7.md",
    "docs/ethernet-ip.md", "docs/opcua.md", "docs/modbus.md", "docs/telegram.md",
    "docs/modbus-server.md", "docs/driver-contract.md"],
  // A picture; and a program of a PLC, which test/e2e/adopting_plc.py does.
  "": ["README.md", "docs/modbus-server.md"],
};

test("something runs every block of every page", () => {
  const unseen = pages.flatMap((page) => {
    const text = readFileSync(join(root, page), "utf8");
    const fences = [...text.matchAll(/^```(\w*).*\n[\s\S]*?^```$/gm)];
    return fences.filter(([, language]) => !runs[language!]?.includes(page))
      .map(([block]) => `${page}: ${block.split("\n", 2).join(" ")}`);
  });
  expect(unseen).toEqual([]);
});
