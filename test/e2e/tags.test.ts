import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { monotonic } from "../../src/base/os.ts";
import { binary, until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { Site } from "../support/plant.ts";

/**
 * The compiled binary reads a tank's transmitters of 4 to 20 mA over TCP and over a bus: what a
 * broken wire says is bad (NE 43), a constant stands in each row, and a sink is told of changes.
 */
const input = (register: number): object => ({
  at: `input ${register}`, type: "int16", eu: "m", decimals: 2,
  rawRange: [5530, 27648], euRange: [0, 8.5], signal: "4-20mA",
});
const tank = (link: string): object => ({
  link, groups: { fast: "100ms" },
  tags: { level: input(0), broken: input(1), full: input(2), hall: { static: "Hall {n}" },
    limit: { static: 55 }, ready: { static: true },
    pump: { at: "holding 0", type: "int16", access: "read-write" },
    valve: { at: "holding 1", type: "int16", access: "read-write" } },
});
const config = {
  gateway: { id: "tank" },
  links: {
    plc: { type: "modbus-tcp", host: "192.0.2.1" },
    "bus-1": { type: "modbus-rtu", port: "/dev/null", rs485: "adapter", parity: "none" },
  },
  devices: { "t-{1..1}": tank("plc"), "t-{2..2}": tank("bus-1") },
  rules: {
    levels: { sql: "SELECT level, hall FROM t-1.fast", to: ["changes"] },
    silent: { sql: "SELECT level AS o FROM t-2.fast WHERE level < 0.0",
      to: [{ write: "t-2.pump", from: "o" }] },
    bus: { sql: "SELECT level, hall, quality(broken) AS why FROM t-2.fast" },
    filled: { sql: "SELECT count(CASE WHEN level > 1.0 THEN 1 END) AS n FROM t-1.fast " +
      "GROUP BY TUMBLINGWINDOW(ms, 500)", to: [{ write: "t-1.valve", from: "n" }] },
  },
  sinks: { changes: { type: "log", onChange: { deadband: { level: 0.1 } } } },
  policy: { "t-1.pump": { allow: ["cli"], maxMode: "armed", min: 0, max: 100, minInterval: "1ms",
    permit: ["`t-1`.level > 1.0"] },
    "t-1.valve": { allow: ["rule:filled"], maxMode: "armed", min: 0, max: 100, minInterval: "1ms",
      inputMaxAge: "5s", onLoss: { after: "60s", value: "hold" } },
    "t-2.pump": { allow: ["rule:silent"], maxMode: "armed", min: 0, max: 100, minInterval: "1ms",
      permit: ["`t-2`.level > 5.0"], onLoss: { after: "1s", value: 7, step: "any" } } },
  api: { listen: "127.0.0.1:0" },
};
const plant = Object.fromEntries(["t-1", "t-2"].flatMap((device) => [
  [`${device}.level`, { kind: "constant", value: 4.2678 }],
  // 2.1 mA and 20.8 mA.
  [`${device}.broken`, { kind: "constant", value: -1 }],
  [`${device}.full`, { kind: "constant", value: 8.92 }],
]));

let site: Site;
let gateway: RunningGateway;
beforeAll(async () => {
  site = await Site.start(config, { "plant.json": plant });
  gateway = await site.run(site.live());
}, 120_000);
afterAll(() => site?.stop());

const tag = async (id: string): Promise<any> => (await gateway.get(`/tags/${id}`)).body;

for (const device of ["t-1", "t-2"]) {
  test(`${device}: a signal is measured, broken, or past its range`, async () => {
    await until("a level", async () => (await tag(`${device}.level`)).quality === "good");
    expect(await tag(`${device}.level`)).toMatchObject({ value: 4.27, eu: "m" });
    expect(await tag(`${device}.broken`)).toMatchObject({ quality: "bad:underrange" });
    expect(await tag(`${device}.full`)).toMatchObject({ quality: "uncertain:saturated" });
    expect(await tag(`${device}.hall`)).toMatchObject({ value: `Hall ${device.slice(2)}`,
      quality: "good", at: "static" });
  });
}

test("a constant stands in each row, on a serial worker's link too", async () => {
  const row = await until("a row", async () =>
    (await gateway.get("/streams/bus/latest")).body ?? null);
  expect(row.values).toEqual({ level: 4.27, hall: "Hall 2", why: "bad:underrange" });
});

test("a sink with onChange is told what differs, once", async () => {
  const lines = (): string[] => gateway.program.output.split("\n")
    .filter((line) => line.includes('"hall":"Hall 1"'));
  // Before the link was open, the quality said so; then came the level.
  await until("the level", () => lines().some((line) => line.includes("4.27")));
  const told = lines().length;
  const polls = async (): Promise<number> =>
    (await gateway.get("/rules")).body.find((r: any) => r.name === "levels").rows_out;
  const before = await polls();
  await until("rows that say nothing new", async () => (await polls()) > before + 10);
  expect([told, lines().length]).toEqual([told, told]);
  expect(told).toBeLessThanOrEqual(2);
});

for (const [link, poll, answer] of [
  ["plc", /→ .* 04 00 00 00 03 {3}station 1 FC4 reads input 0..2/, /← .* station 1 FC4 6 bytes/],
  ["bus-1", /→ 01 04 00 00 00 03 b0 0b {3}station 1 FC4 reads input 0..2/, /station 1 FC4 6 bytes/],
] as const) {
  test(`tagwerk frames ${link} shows what passes, in words`, async () => {
    expect(await gateway.cli("frames", link, "--for-pieces", "abc")).toMatchObject({ code: 2,
      output: expect.stringContaining('--for-pieces wants a whole number from 1 on, not "abc"') });
    const { code, output } = await gateway.cli("frames", link, "--for-pieces", "12");
    expect(code).toBe(0);
    expect(output).toMatch(poll);
    expect(output).toMatch(answer);
    const kept = join(site.folder.path, `${link}.jsonl`);
    await gateway.cli("frames", link, "--only", "reads", "--to", kept, "--for-pieces", "3");
    const pieces = readFileSync(kept, "utf8").trim().split("\n").map((line) => JSON.parse(line));
    expect(pieces.map(({ dir }) => dir)).toEqual(["tx", "tx", "tx"]);
  });
}

test("tagwerk frames of a link that is none names the nearest", async () => {
  const { code, output } = await gateway.cli("frames", "bus1");
  expect([code, output]).toEqual([1, expect.stringContaining("did you mean bus-1?")]);
});

/** A row whose poll began after now. */
async function freshRow(stream: string): Promise<any> {
  const newest = async (): Promise<any> => (await gateway.get(`/streams/${stream}/latest`)).body;
  const { sequence } = await newest();
  return until("a fresh row", async () => {
    const row = await newest();
    return row.sequence > sequence + 1 ? row : null;
  });
}

test("a forced value is what rules see, never good, and opens no permit (W8, W12)", async () => {
  await gateway.arm("t-1.pump");
  expect(await gateway.cli("write", "t-1.pump", "5")).toMatchObject({ code: 0 });
  for (const device of ["t-1", "t-2"]) {
    const forced = await gateway.cli("force", `${device}.level`, "7.5", "--for", "10m",
      "--by", "anna");
    expect(forced).toMatchObject({ code: 0 });
    expect(await freshRow(`${device}.fast`)).toMatchObject({ values: { level: 7.5 },
      quality: { level: "uncertain:forced" } });
  }
  expect((await gateway.get("/streams/bus/latest")).body.values.level).toBe(7.5);
  const { code, output } = await gateway.cli("write", "t-1.pump", "6");
  expect([code, output]).toEqual([1, expect.stringContaining("forced or disabled by a person")]);
  const { body } = await gateway.get("/health");
  expect(body.troubles).toContainEqual(expect.stringMatching(/^t-1.level is forced by anna for/));
  await gateway.cli("force", "t-1.level", "--end", "--by", "anna");
  expect((await freshRow("t-1.fast")).quality.level).toBeUndefined();
  await gateway.cli("force", "t-2.level", "0", "--for", "300ms", "--by", "anna");
  await until("the end of it", async () => (await tag("t-2.level")).quality === "good");
  expect(await gateway.cli("write", "t-1.pump", "6")).toMatchObject({ code: 0 });
});

test("a forced value behind NULL that is counted reaches no machine (W8)", async () => {
  const writes = (since: number): number => site.plant.writes("plc", since).length;
  await gateway.arm("t-1.valve");
  const armed = monotonic();
  await until("a count is written", () => writes(armed) > 0);
  // CASE is NULL then: nothing to count, for a reason that is not good.
  await gateway.cli("force", "t-1.level", "0.5", "--for", "10m", "--by", "anna");
  for (const [n, quality] of [[0, "uncertain:skipped"], [5, undefined]] as const) {
    await until(`windows of ${n}`, async () => {
      const { values, quality: of } = (await gateway.get("/streams/filled/latest")).body;
      return Math.abs(values.n - n) < 2 && of.n === quality;
    });
    const from = monotonic();
    await freshRow("filled");
    await freshRow("filled");
    expect(writes(from) > 0).toBe(quality === undefined);
    await gateway.cli("force", "t-1.level", "--end", "--by", "anna");
  }
}, 120_000);

test("force refuses what cannot stand there", async () => {
  const force = async (...words: string[]): Promise<string> =>
    (await gateway.cli("force", ...words, "--for", "1m", "--by", "anna")).output;
  expect(await force("t-1.level", "high")).toContain('t-1.level is int16: "high" cannot stand');
  expect(await force("t-2.pump", "40000"))
    .toContain("40000 would be raw 40000 of t-2.pump; int16 ends at 32767");
  expect(await force("t-1.level", "100")).toMatch(/100 would be raw \d+ of t-1.level; int16 ends/);
  expect(await force("t-1.lvl", "1")).toContain("did you mean t-1.level?");
  expect(await force("t-1.hall", "x")).toContain("t-1.hall is a constant");
  expect((await gateway.cli("force", "t-1.level", "1", "--for", "2h", "--by", "anna")).output)
    .toContain("at most 60 minutes");
});

test("a disabled device is asked nothing and sent nothing, over a restart too", async () => {
  for (const device of ["t-1", "t-2"]) {
    expect(await gateway.cli("disable", device, "--by", "anna")).toMatchObject({ code: 0 });
    await until("it is left alone", async () =>
      (await tag(`${device}.level`)).quality === "bad:disabled");
  }
  const [level] = [await tag("t-1.level")];
  expect(level.value).toBeCloseTo(4.27);
  await site.plant.settled();
  const asked = (): number => site.plant.frames().filter(({ dir }) => dir === "in").length;
  const [before, writes] = [asked(), site.plant.writes("plc").length];
  expect((await gateway.cli("write", "t-1.pump", "9")).code).toBe(1);
  await freshRow("t-1.fast");
  await freshRow("t-2.fast");
  await site.plant.settled();
  expect([asked(), site.plant.writes("plc").length]).toEqual([before, writes]);
  await gateway.stop();
  gateway = await site.run(site.live());
  await until("it still is", async () => (await tag("t-2.level")).quality === "bad:disabled");
  expect((await tag("t-1.level/why")).reason).toContain("tagwerk enable");
  for (const device of ["t-1", "t-2"]) {
    await gateway.cli("enable", device, "--by", "anna");
    await until("it is asked again", async () => (await tag(`${device}.level`)).quality === "good");
  }
  const refused = await gateway.cli("write", "t-1.pump", "9");
  expect([refused.code, refused.output]).toEqual([1, expect.stringContaining("not armed")]);
  const { body } = await gateway.get("/audit?limit=50");
  for (const code of ["disable", "enable", "force", "unforce"]) {
    expect(body).toContainEqual(expect.objectContaining({ code, who: "anna", verdict: "act" }));
  }
}, 120_000);

test("W12, W20: a loss does not go by what a person forced or disabled", async () => {
  const acts: [string[], string[]][] = [
    [["force", "t-2.level", "9", "--for", "10m"], ["force", "t-2.level", "--end"]],
    [["disable", "t-2"], ["enable", "t-2"]],
  ];
  for (const [act, end] of acts) {
    await until("the device is there", async () => (await tag("t-2.level")).quality === "good");
    await gateway.arm("t-2.pump");
    // Who disables a device disarms it; who forces a value does not.
    expect(await gateway.cli(...act, "--by", "anna")).toMatchObject({ code: 0 });
    await until("the arming ends", async () =>
      !(await gateway.get("/health")).body.writing.armed.includes("t-2.pump"));
    expect(await gateway.cli(...end, "--by", "anna")).toMatchObject({ code: 0 });
  }
  expect(site.plant.writes("bus-1")).toEqual([]);
  expect((await gateway.get("/audit?tag=t-2.pump&limit=50")).body).toContainEqual(
    expect.objectContaining({ code: "permit-unknown",
      sentence: expect.stringContaining("forced or disabled by a person") }));
}, 120_000);

test("W8, W12: a constant is no value of a device, for a write nor for a permit", async () => {
  const wrong = site.live({}, {
    rules: { ...config.rules, silent: { sql: "SELECT `limit` AS o FROM t-2.fast",
      to: [{ write: "t-2.pump", from: "o" }] } },
    policy: { ...config.policy, "t-1.pump": { ...config.policy["t-1.pump"],
      permit: ["`t-1`.ready"] } },
  });
  const { stdout, stderr, exitCode } = Bun.spawnSync([await binary(), "check", wrong]);
  const told = `${stdout}${stderr}`;
  expect(exitCode).toBe(1);
  expect(told).toContain("o is made of no value of a device");
  expect(told).toContain("A condition that reads no tag of a device permits always or never");
});

test("a change that makes a forced tag another ends the force", async () => {
  expect(await gateway.cli("force", "t-1.level", "9", "--for", "10m", "--by", "anna"))
    .toMatchObject({ code: 0 });
  const { "t-{1..1}": one, ...others } = config.devices as Record<string, any>;
  const { filled: _, ...rules } = config.rules;
  const changed = site.live({}, { rules, devices: { ...others, "t-{1..1}": { ...one,
    tags: { ...one.tags, level: { static: 5.5 }, other: input(0) } } },
    policy: { "t-2.pump": config.policy["t-2.pump"] } });
  const { code, output } = await gateway.cli("apply", changed, "--by", "anna");
  expect([code, output]).toEqual([0, expect.any(String)]);
  await until("the constant", async () => (await tag("t-1.level")).value === 5.5);
  expect(await tag("t-1.level")).toMatchObject({ quality: "good", at: "static" });
  expect((await gateway.get("/health")).body.troubles.join()).not.toContain("forced");
}, 120_000);
