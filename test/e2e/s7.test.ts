import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Program, until, workFolder } from "../support/binary.ts";
import { freePort } from "../support/port.ts";
import { RunningGateway } from "../support/gateway.ts";
import { python } from "../support/python.ts";

/** The compiled binary against an S7 server that is none of ours: python-snap7's. */
const interpreter = python("snap7");
const port = await freePort();
const tags = {
  temperature: { at: "DB1.DBD4", type: "float32" },
  count: { at: "DB1.DBW2", type: "int16" },
  on: { at: "DB1.DBX0.0", type: "bool" },
  off: { at: "DB1.DBX0.1", type: "bool" },
  third: { at: "DB1.DBX0.3", type: "bool" },
  precise: { at: "DB1.DBD16", type: "float64" },
  name: { at: "DB1.DBB24", type: "text(10)" },
  code: { at: "DB1.DBC40", type: "text(4)" },
  flags: { at: "MW10", type: "uint16" },
  old_moment: { at: "DB1.DT76", type: "time" },
  moment: { at: "DB1.DTL84", type: "time" },
  new_moment: { at: "DB1.LDT96", type: "time" },
  door: { at: "I0.1", type: "bool" },
  scaled: { at: "MB20", type: "uint8", scale: 0.5, offset: 1 },
  flag_words: { at: "MW10", type: "uint16[20]" },
  flag_bits: { at: "M1.0", type: "bool[16]" },
  scaled_bytes: { at: "MB20", type: "uint8[3]", scale: 0.5, offset: 1 },
  pair: { at: "DB1.DBD4", type: "float32[2]" },
  cut: { at: "DB1.DBW110", type: "int16[4]" },
  beyond: { at: "DB1.DBW120", type: "int16" },
  missing: { at: "DB9.DBW0", type: "int16" },
  setpoint: { at: "DB1.DBD8", type: "float32", access: "read-write" },
  // The server writes a bit as its whole byte: this one has its byte to itself.
  run: { at: "DB1.DBX50.0", type: "bool", access: "read-write" },
  recipe: { at: "DB1.DBB60", type: "text(12)", access: "read-write" },
  copy: { at: "DB1.DBB104", type: "text(8)", access: "read-write" },
  longer: { at: "DB1.DBB24", type: "text(12)", access: "read-write" },
  level: { at: "DB1.DBW12", type: "int16", access: "read-write" },
};
const config = {
  gateway: { id: "s7" },
  policy: "file:write-policy.json",
  links: { plc: { type: "s7", host: "127.0.0.1", port, timeout: "2s" } },
  devices: { press: { link: "plc", groups: { fast: "100ms" }, tags } },
  rules: { hold: { sql: "SELECT temperature * 2 AS target FROM press.fast",
    to: [{ write: "press.setpoint", from: "target" }] },
  copied: { sql: "SELECT name FROM press.fast", to: [{ write: "press.copy", from: "name" }] } },
  api: { listen: "127.0.0.1:0" },
};
const onLoss = { after: "30s", value: "hold" };
const policy = {
  "press.setpoint": { allow: ["rule:hold"], maxMode: "armed", min: 0, max: 100,
    minInterval: "1ms", inputMaxAge: "500ms", onLoss },
  "press.recipe": { allow: ["cli", "prove"], maxMode: "armed", values: ["R-1", "R-200"],
    minInterval: "1ms" },
  "press.copy": { allow: ["rule:copied"], maxMode: "armed", values: ["hello"],
    minInterval: "1ms", inputMaxAge: "500ms", onLoss },
  "press.longer": { allow: ["cli"], maxMode: "armed", values: ["R-1"] },
  "press.level": { allow: ["cli"], maxMode: "armed", min: -500, max: 500 },
  "press.run": { allow: ["cli"], maxMode: "armed", min: 0, max: 1, minInterval: "1ms" },
};

describe.skipIf(interpreter === null)("S7", () => {
  const folder = workFolder({ "gateway.json": config, "write-policy.json": policy });
  let plc: Program;
  let gateway: RunningGateway;
  const block = async (): Promise<Buffer> => {
    const before = plc.output.length;
    plc.child.stdin.write("\n");
    const text = await until("DB1", () => /([0-9a-f]{228})\n/.exec(plc.output.slice(before)));
    return Buffer.from(text[1]!, "hex");
  };
  const start = async (): Promise<void> => {
    plc = new Program([interpreter!, join(import.meta.dir, "s7_peer.py"), String(port)]);
    await until("the PLC", () => plc.output.includes("ready"));
  };
  const tag = async (name: string): Promise<{ value: unknown; quality: string }> =>
    (await gateway.get(`/tags/press.${name}`)).body;
  const good = (name: string) => until(`${name} is good`,
    async () => (await tag(name)).quality === "good");

  beforeAll(async () => {
    await start();
    gateway = await RunningGateway.start(folder.write("gateway.json", config),
      join(folder.path, "store"));
    await good("temperature");
  }, 120_000);
  afterAll(async () => {
    await gateway?.stop();
    await plc?.stop();
    folder.remove();
  });

  test("values of every type come from the areas as they are", async () => {
    const names = ["temperature", "count", "on", "off", "third", "precise", "name", "code", "flags",
      "door", "scaled"];
    const values = await Promise.all(names.map(tag));
    expect(values.map(({ value }) => value)).toEqual(
      [21.5, -7, true, false, true, 1234.5678, "hello", "AB12", 0x0a0b, true, 11]);
    expect(values.every(({ quality }) => quality === "good")).toBe(true);
  });

  test("arrays come whole, each item as if it stood alone, or not at all", async () => {
    const [words, bits, bytes, pair, cut] = await Promise.all(
      ["flag_words", "flag_bits", "scaled_bytes", "pair", "cut"].map(tag));
    // Byte n of the flags is n.
    expect(words).toMatchObject({ quality: "good",
      value: Array.from({ length: 20 }, (_, i) => (10 + 2 * i) * 256 + 11 + 2 * i) });
    expect(bits).toMatchObject({ quality: "good", value: Array.from({ length: 16 }, (_, i) =>
      ((1 + (i >> 3)) >> (i & 7) & 1) === 1) });
    expect(bytes).toMatchObject({ value: [11, 11.5, 12], quality: "good" });
    expect(pair).toMatchObject({ value: [21.5, 0], quality: "good" });
    expect(cut!.quality).toBe("bad:address");
  });

  test("moments of all three types are those that the PLC has", async () => {
    const names = ["old_moment", "moment", "new_moment"];
    const values = await Promise.all(names.map(tag));
    expect(values.map(({ value, quality }) => [value, quality])).toEqual(
      names.map(() => [Date.UTC(2024, 1, 29, 23, 59, 58, 123), "good"]));
  });

  test("a tag that is not there is bad alone, and its neighbours are not", async () => {
    expect((await tag("beyond")).quality).toBe("bad:address");
    expect((await tag("missing")).quality).toBe("bad:address");
    // Each has words of its own, and the log names them.
    for (const [name, says] of [["missing", /DB9\.\w+: .*optimised.*0x0A/],
      ["beyond", /DB1\.\w+: .*past the end.*0x05/]] as const) {
      const { output } = await gateway.cli("why", `press.${name}`);
      expect(/because {2}.*/.exec(output)![0]).toMatch(says);
      expect(/refused {2}.*/.exec(output)![0]).toMatch(says);
      expect(gateway.program.output).toMatch(new RegExp(`press\\.${name}: ${says.source}`));
    }
    const { output } = await gateway.cli("why", "press.setpoint");
    expect(output).not.toContain("refused  ");
  });

  test("a rule's value is written through the gate, and read back", async () => {
    expect((await block()).readFloatBE(8)).toBe(0);
    await gateway.arm("press.setpoint");
    await until("the value", async () => (await block()).readFloatBE(8) === 43);
    await until("verified", async () =>
      (await gateway.cli("why", "press.setpoint")).output.includes('"verified"'));
  }, 120_000);

  test("a word written by hand is verified, and changes nothing beside it", async () => {
    const before = await block();
    await gateway.arm("press.level");
    const { output } = await gateway.cli("write", "press.level", "-321");
    expect(output).toContain("verified");
    const after = await block();
    expect(after.readInt16BE(12)).toBe(-321);
    after.writeInt16BE(before.readInt16BE(12), 12);
    expect(after.subarray(12).equals(before.subarray(12))).toBe(true);
  }, 120_000);

  test("a bool is written as a bit", async () => {
    await gateway.arm("press.run");
    expect((await gateway.cli("write", "press.run", "1")).output).toContain("verified");
    expect((await block())[50]).toBe(1);
    expect((await gateway.cli("write", "press.run", "0")).output).toContain("verified");
    expect((await block())[50]).toBe(0);
  }, 120_000);

  test("a STRING is written if the policy names the text; its room stays", async () => {
    await gateway.arm("press.recipe");
    const write = async (text: string): Promise<string> =>
      (await gateway.cli("write", "press.recipe", text, "--text")).output;
    expect(await write("R-300")).toContain("text-not-allowed");
    expect(await write("R-200")).toContain("verified: press.recipe reads R-200");
    expect((await block()).subarray(60, 67).toString("latin1")).toBe("\x0c\x05R-200");
    expect((await gateway.cli("audit", "press.recipe")).output).toMatch(/R-200.*verified/);
    const number = await gateway.cli("write", "press.recipe", "7");
    expect(number.output).toContain("takes a text");
  }, 120_000);

  test("a rule writes a text that it has read; a proof writes one back as it stands", async () => {
    await gateway.arm("press.copy");
    await until("the text", async () =>
      (await block()).subarray(104, 111).toString("latin1") === "\x08\x05hello");
    await until("verified", async () =>
      (await gateway.cli("why", "press.copy")).output.includes('"verified"'));
    await gateway.cli("disarm", "--by", "test");
    await gateway.cli("disarm", "--clear", "--by", "test");
    const { output } = await gateway.cli("prove", "press.recipe", "--by", "test", "--yes");
    expect(output).toContain("verified: press.recipe reads R-200");
  }, 120_000);

  test("nobody arms for a STRING that is shorter in the PLC than in the tag", async () => {
    const { code, output } = await gateway.cli("arm", "press.longer", "--for", "1m", "--by", "t",
      "--yes");
    expect([code, output]).toEqual([1, expect.stringContaining("could not be read")]);
  }, 120_000);

  test("the PLC goes and comes back", async () => {
    await plc.stop("SIGKILL");
    await until("bad", async () => /bad:(disconnected|timeout)/
      .test((await tag("temperature")).quality));
    await start();
    await good("temperature");
  }, 120_000);
});
