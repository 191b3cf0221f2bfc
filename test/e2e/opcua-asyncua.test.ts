import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { binary, Program, until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import { python } from "../support/python.ts";
import { freePort } from "../support/port.ts";

const script = resolve(import.meta.dir, "../driver/opcua/asyncua_plant.py");
const interpreter = python("asyncua");
const items = 200;

/** An independent stack: what both sides of one library agree on may still be wrong. */
test.skipIf(interpreter === null)("the compiled binary against asyncua", async () => {
  const port = await freePort();
  const server = new Program([interpreter!, "-u", script, String(port), String(items)]);
  const folder = workFolder();
  const file = folder.write("gateway.json", {
    gateway: { id: "ua" },
    policy: {
      "plant.setpoint": { allow: ["cli"], maxMode: "armed", min: 0, max: 100 },
      "plant.running": { allow: ["cli"], maxMode: "armed", min: 0, max: 1 },
      "plant.recipe": { allow: ["cli"], maxMode: "armed", values: ["Mühle 1", "R-2"] },
    },
    links: { ua: { type: "opcua", host: "127.0.0.1", port, path: "/plant", security: "None" } },
    devices: { plant: { link: "ua", groups: { fast: "500ms" }, tags: {
      ...Object.fromEntries(Array.from({ length: items }, (_, i) =>
        [`c${i}`, { at: `nsu=urn:plant:asyncua;s=Counter${i}`, type: "float64" }])),
      profile: { at: "nsu=urn:plant:asyncua;s=Profile", type: "float32[4]", scale: 10 },
      totals: { at: "nsu=urn:plant:asyncua;s=Totals", type: "int64[3]" },
      switches: { at: "nsu=urn:plant:asyncua;s=Switches", type: "bool[3]" },
      longer: { at: "nsu=urn:plant:asyncua;s=Switches", type: "bool[4]" },
      text: { at: "nsu=urn:plant:asyncua;s=Totals", type: "json(64)" },
      name: { at: "nsu=urn:plant:asyncua;i=7", type: "text(16)" },
      running: { at: "nsu=urn:plant:asyncua;s=Running", type: "bool", access: "read-write" },
      recipe: { at: "nsu=urn:plant:asyncua;s=Recipe", type: "text(16)", access: "read-write" },
      setpoint: { at: "nsu=urn:plant:asyncua;s=Setpoint", type: "float64", access: "read-write" },
    } } },
    rules: { steps: { sql: `SELECT c${items - 1} - lag(c${items - 1}) AS step FROM plant.fast` } },
    api: { listen: "127.0.0.1:0" },
  });
  let gateway: RunningGateway | null = null;
  try {
    await until("asyncua is up", () => /^ready$/m.test(server.output), 90_000);
    gateway = await RunningGateway.start(file, join(folder.path, "store"));
    const tag = async (name: string) => (await gateway!.get(`/tags/plant.${name}`)).body;
    await until("values", async () => (await tag(`c${items - 1}`)).value >= 2, 60_000);
    expect(await tag("name")).toMatchObject({ value: "Mühle", quality: "good" });
    expect(await tag("c0")).toMatchObject({ quality: "good" });
    expect(await tag("profile")).toMatchObject({ value: [15, -20, 32.5, 0], quality: "good" });
    expect(await tag("totals")).toMatchObject(
      { value: [1, "-9223372036854775808", "9223372036854775807"], quality: "good" });
    expect(await tag("switches")).toMatchObject({ value: [true, false, true], quality: "good" });
    expect(await tag("longer")).toMatchObject({ quality: "error:length" });
    expect(await tag("text")).toMatchObject(
      { value: '[1,"-9223372036854775808","9223372036854775807"]', quality: "good" });
    // Of a server that is late two changes may come in one message.
    await until("a step", async () =>
      [0, 1].includes((await gateway!.get("/streams/steps/latest")).body.values.step));
    await gateway.arm("plant.setpoint");
    expect((await gateway.cli("write", "plant.setpoint", "55")).output).toContain("verified");
    const has = async (name: string, json: RegExp): Promise<void> => {
      server.child.stdin.write(`${name}\n`);
      await server.child.stdin.flush();
      await until(`it has the ${name}`, () => json.test(server.output));
    };
    await has("setpoint", /^55(\.0)?$/m);
    await gateway.arm("plant.running");
    expect((await gateway.cli("write", "plant.running", "true")).output).toContain("verified");
    await has("running", /^true$/m);
    await gateway.arm("plant.recipe");
    expect((await gateway.cli("write", "plant.recipe", "R-3", "--text")).output)
      .toContain("text-not-allowed");
    expect((await gateway.cli("write", "plant.recipe", "Mühle 1", "--text")).output)
      .toContain("verified");
    await has("recipe", /^"M\\u00fchle 1"$/m);
  } finally {
    await gateway?.stop();
    await server.stop("SIGKILL");
    folder.remove();
  }
}, 120_000);

test.skipIf(interpreter === null)(
  "a scan of asyncua, its certificate trusted ahead, and a secure session at the first attempt",
  async () => {
    const port = await freePort();
    const folder = workFolder();
    const store = join(folder.path, "store");
    const server = new Program([interpreter!, "-u", script, String(port), "1", folder.path]);
    const file = folder.write("gateway.json", {
      gateway: { id: "ua" },
      links: { ua: { type: "opcua", host: "127.0.0.1", port, path: "/plant",
        security: "Basic256Sha256" } },
      devices: { plant: { link: "ua", groups: { fast: "500ms" }, tags: {
        name: { at: "nsu=urn:plant:asyncua;i=7", type: "text(16)" } } } },
      api: { listen: "127.0.0.1:0" },
    });
    const cli = async (...args: string[]): Promise<{ code: number; output: string }> => {
      const program = new Program([await binary(), ...args, "-c", file, "--store", store]);
      const code = await program.child.exited;
      await program.stop();
      return { code, output: program.output };
    };
    let gateway: RunningGateway | null = null;
    try {
      await until("asyncua is up", () => /^ready$/m.test(server.output), 90_000);
      const certificate = join(folder.path, "server.der");
      const fingerprint = createHash("sha256").update(readFileSync(certificate)).digest("hex");
      const { code, output } = await cli("scan", "ua");
      expect(code).toBe(0);
      expect(output).toMatch(/urn:plant:asyncua:server$/m);
      expect(output).toMatch(
        new RegExp(`certificate .*CN=asyncua plant.*SHA-256 ${fingerprint}$`, "m"));
      for (const mode of ["sign", "sign-and-encrypt"]) {
        expect(output).toContain(`"security": "Basic256Sha256", "mode": "${mode}": anonymous`);
      }
      expect(output).toContain('"security": "None": anonymous');
      expect((await cli("trust", "au", certificate)).output).toContain("did you mean ua?");
      expect((await cli("trust", "ua", file)).output).toContain("The file is no certificate");
      expect((await cli("trust", "ua", "nowhere.der")).output).toContain("no file nowhere.der");
      const trusted = await cli("trust", "ua", certificate);
      expect([trusted.code, trusted.output]).toEqual([0, expect.stringMatching(
        new RegExp(`trusted for ua: .*CN=asyncua plant.*SHA-256 ${fingerprint}\\n.*must ` +
          `trust too: ${store}/opcua/own\\.certificate\\.der`))]);
      gateway = await RunningGateway.start(file, store);
      await until("a value", async () =>
        (await gateway!.get("/tags/plant.name")).body.value === "Mühle", 60_000);
      expect((await gateway.get("/links")).body[0]).toMatchObject({ state: "open", opens: 1 });
      expect(gateway.program.output).not.toContain("not trusted");
    } finally {
      await gateway?.stop();
      await server.stop("SIGKILL");
      folder.remove();
    }
  }, 120_000);
