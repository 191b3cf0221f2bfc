import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { Program, until, workFolder } from "../support/binary.ts";
import { freePort } from "../support/port.ts";
import { RunningGateway } from "../support/gateway.ts";

/**
 * Single bits, against the server of the snap7 library itself, written in C: python-snap7's own
 * (s7.test.ts) takes a bit for its whole byte.
 */
const library = resolve(import.meta.dir, "../../.ci/snap7/snap7/lib/libsnap7.so");
const python = Bun.which("python3");
const isThere = existsSync(library) && python !== null;
if (!isThere && process.env["CI"] === "true") throw new Error(`CI needs ${library}`);
if (!isThere) console.log("skipped: there is no C library of snap7");

const bits = Array.from({ length: 8 }, (_, bit) => `b${bit}`);
const port = await freePort();
const config = {
  gateway: { id: "bits" }, policy: "file:write-policy.json",
  links: { plc: { type: "s7", host: "127.0.0.1", port } },
  devices: { d: { link: "plc", groups: { g: "100ms" }, tags: Object.fromEntries(bits.map(
    (name, bit) => [name, { at: `DB1.DBX3.${bit}`, type: "bool", access: "read-write" }])) } },
  api: { listen: "127.0.0.1:0" },
};
const policy = Object.fromEntries(bits.map((name) => [`d.${name}`,
  { allow: ["cli"], maxMode: "armed", min: 0, max: 1, minInterval: "1ms" }]));

describe.skipIf(!isThere)("bits of S7", () => {
  const folder = workFolder({ "gateway.json": config, "write-policy.json": policy });
  let plc: Program;
  let gateway: RunningGateway;
  const block = async (): Promise<string> => {
    const before = plc.output.length;
    plc.child.stdin.write("\n");
    return (await until("DB1", () => /block ([0-9a-f]{16})\n/.exec(plc.output.slice(before))))[1]!;
  };

  beforeAll(async () => {
    plc = new Program([python!, join(import.meta.dir, "s7_bits_peer.py"), String(port), library]);
    await until("the PLC", () => plc.output.includes("ready"));
    gateway = await RunningGateway.start(folder.write("gateway.json", config),
      join(folder.path, "store"));
  }, 120_000);
  afterAll(async () => {
    await gateway?.stop();
    await plc?.stop();
    folder.remove();
  });

  test("each is read where it stands, and written alone: no other bit of its byte", async () => {
    let byte = 0b01011010;
    for (const [bit, name] of bits.entries()) {
      await until(`${name} is read`, async () =>
        (await gateway.get(`/tags/d.${name}`)).body.quality === "good");
      const value = (byte >> bit & 1) === 1;
      expect((await gateway.get(`/tags/d.${name}`)).body.value).toBe(value);
      await gateway.arm(`d.${name}`);
      const { output } = await gateway.cli("write", `d.${name}`, value ? "0" : "1");
      expect(output).toContain("verified");
      byte ^= 1 << bit;
      expect(await block()).toBe(`000000${byte.toString(16).padStart(2, "0")}00000000`);
    }
  }, 120_000);
});
