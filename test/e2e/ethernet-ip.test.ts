import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { freePort } from "../support/port.ts";
import { Program, until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import { python } from "../support/python.ts";

/**
 * The compiled binary against a controller that is none of ours: cpppo's, which takes a tenth of a
 * second and more for a message: hence the long times.
 */
const slow_ms = 40_000;
const interpreter = python("cpppo");
const port = await freePort();
const tags = {
  temperature: { at: "Temp", type: "float32" },
  count: { at: "Count", type: "int16" },
  bit: { at: "Count.3", type: "bool" },
  big: { at: "Big", type: "int64" },
  first: { at: "Arr[0]", type: "int32" },
  third: { at: "arr[2]", type: "int32" },
  last: { at: "Arr[19]", type: "uint32" },
  all: { at: "Arr[0]", type: "int32[20]" },
  part: { at: "Arr[1]", type: "int32[3]", scale: 0.1 },
  count_bits: { at: "Count.0", type: "bool[16]" },
  past: { at: "Arr[18]", type: "int32[3]" },
  speed: { at: "Motor.Speed", type: "float32" },
  flag: { at: "Flag", type: "bool" },
  name: { at: "Name", type: "text(20)", access: "read-write" },
  line: { at: "Line", type: "text(20)", access: "read-write" },
  small: { at: "Small", type: "int8", scale: 0.5, offset: 1 },
  beyond: { at: "Arr[20]", type: "int32" },
  missing: { at: "Nobody", type: "int32" },
  wrong: { at: "Temp", type: "int32" },
  setpoint: { at: "Setpoint", type: "float32", access: "read-write" },
  run: { at: "Run", type: "bool", access: "read-write" },
  level: { at: "Level", type: "int16", access: "read-write" },
};
const config = {
  gateway: { id: "logix" },
  policy: "file:write-policy.json",
  links: { plc: { type: "ethernet-ip", host: "127.0.0.1", port, timeout: "5s" } },
  devices: { press: { link: "plc", groups: { fast: "500ms" }, tags } },
  rules: { hold: { sql: "SELECT temperature * 2 AS target FROM press.fast",
    to: [{ write: "press.setpoint", from: "target" }] } },
  api: { listen: "127.0.0.1:0" },
};
const onLoss = { after: "30s", value: "hold" };
const policy = {
  "press.setpoint": { allow: ["rule:hold"], maxMode: "armed", min: 0, max: 100,
    minInterval: "1ms", inputMaxAge: "5s", onLoss },
  "press.level": { allow: ["cli"], maxMode: "armed", min: -500, max: 500 },
  "press.name": { allow: ["cli"], maxMode: "armed", values: ["R-1", "R-200"] },
  "press.line": { allow: ["cli"], maxMode: "armed", pattern: "LOT[0-9]{1,6}" },
  "press.run": { allow: ["cli"], maxMode: "armed", min: 0, max: 1 },
};

describe.skipIf(interpreter === null)("EtherNet/IP", () => {
  const folder = workFolder({ "gateway.json": config, "write-policy.json": policy });
  let plc: Program;
  let gateway: RunningGateway;
  /** What the controller has, after it was set to `value` where that is given. */
  const plcTag = async (name: string, value = ""): Promise<string> => {
    const before = plc.output.length;
    plc.child.stdin.write(`${name} ${value}\n`);
    const line = new RegExp(`^${name.replace(".", "\\.")} (.*)\n`, "m");
    const text = await until(name, () => line.exec(plc.output.slice(before)), slow_ms);
    return text[1]!;
  };
  const start = async (): Promise<void> => {
    plc = new Program([interpreter!, join(import.meta.dir, "ethernet_ip_peer.py"), String(port)]);
    await until("the controller", () => plc.output.includes("ready"), slow_ms);
  };
  const tag = async (name: string): Promise<{ value: unknown; quality: string }> =>
    (await gateway.get(`/tags/press.${name}`)).body;
  const good = (name: string) => until(`${name} is good`,
    async () => (await tag(name)).quality === "good", slow_ms);

  beforeAll(async () => {
    await start();
    gateway = await RunningGateway.start(join(folder.path, "gateway.json"),
      join(folder.path, "store"));
    await good("temperature");
  }, 120_000);
  afterAll(async () => {
    await gateway?.stop();
    await plc?.stop();
    folder.remove();
  });

  test("values of every type come by their names", async () => {
    for (const [name, value] of [["Temp", "21.5"], ["Count", "-7"], ["Big", "9007199254740993"],
      ["Arr", "1,2,3"], ["Motor.Speed", "3.25"], ["Flag", "1"], ["Name", "hello"],
      ["Small", "-20"]] as const) await plcTag(name, value);
    const names = ["temperature", "count", "bit", "first", "third", "last", "speed", "flag", "name",
      "small"];
    const expected = [21.5, -7, true, 1, 3, 0, 3.25, true, "hello", -9];
    // A poll of several messages may have begun before the last value was set.
    await until("the values", async () => Bun.deepEquals(expected,
      (await Promise.all(names.map(tag))).map(({ value }) => value)), slow_ms);
    const values = await Promise.all(names.map(tag));
    expect(values.every(({ quality }) => quality === "good")).toBe(true);
    expect((await tag("big")).value).toBe("9007199254740993");
    expect(await tag("all")).toMatchObject(
      { value: [1, 2, 3, ...Array.from({ length: 17 }, () => 0)], quality: "good" });
    expect(await tag("part")).toMatchObject(
      { value: [0.2, 0.30000000000000004, 0], quality: "good" });
    expect(await tag("count_bits")).toMatchObject({ quality: "good",
      value: Array.from({ length: 16 }, (_, i) => (-7 >> i & 1) === 1) });
  }, 2 * slow_ms);

  test("a tag that is not there, or is something else, is bad alone", async () => {
    await until("all is known", async () => (await tag("last")).quality === "good", slow_ms);
    expect((await tag("beyond")).quality).toBe("bad:address");
    expect((await tag("past")).quality).toBe("bad:address");
    expect((await tag("missing")).quality).toBe("bad:address");
    expect((await tag("wrong")).quality).toBe("bad:exception");
    // Each has words of its own, and the log names them.
    for (const [name, says] of [["missing", /Nobody: there is no such (tag|element).*0x0[45]/i],
      ["beyond", /Arr\[20\]: .*\(0x/i], ["wrong", /Temp: .*it is REAL/i]] as const) {
      const { output } = await gateway.cli("why", `press.${name}`);
      expect(/because {2}.*/.exec(output)![0]).toMatch(says);
      expect(/refused {2}.*/.exec(output)![0]).toMatch(says);
      expect(gateway.program.output).toMatch(new RegExp(`press\\.${name}: ${says.source}`, "i"));
    }
  }, slow_ms);

  test("a rule's value is written through the gate, and read back", async () => {
    expect(Number(await plcTag("Setpoint"))).toBe(0);
    await gateway.arm("press.setpoint");
    await until("the value", async () => Number(await plcTag("Setpoint")) === 43, slow_ms);
    await until("verified", async () =>
      (await gateway.cli("why", "press.setpoint")).output.includes('"verified"'), slow_ms);
  }, 2 * slow_ms);

  test.each([["level", "-321", "Level", /^-321$/], ["run", "1", "Run", /^(1|True)$/]] as const)(
    "%s written by hand as %s is verified", async (name, value, at, has) => {
      await gateway.arm(`press.${name}`);
      const { output } = await gateway.cli("write", `press.${name}`, value, "--within", "30s");
      expect(output).toContain("verified");
      expect(await plcTag(at)).toMatch(has);
    }, slow_ms);

  test.each([["name", "R-200", "Name"], ["line", "LOT123", "Line"]] as const)(
    "the text %s written by hand as %s is verified, and no other one leaves", async (name, text,
      at) => {
      await gateway.arm(`press.${name}`);
      const write = async (value: string): Promise<string> => (await gateway.cli("write",
        `press.${name}`, value, "--text", "--within", "30s")).output;
      expect(await write("R-3")).toContain("text-not-allowed");
      expect(await write(text)).toContain("verified");
      expect(await plcTag(at)).toBe(text);
    }, slow_ms);

  test("the controller goes and comes back", async () => {
    await plc.stop("SIGKILL");
    await until("bad", async () => /bad:(disconnected|timeout)/
      .test((await tag("temperature")).quality), slow_ms);
    await start();
    await good("temperature");
  }, 3 * slow_ms);
});
