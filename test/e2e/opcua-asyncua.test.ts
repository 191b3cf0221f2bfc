import { expect, test } from "bun:test";
import { join, resolve } from "node:path";
import { Program, until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import { python } from "../support/python.ts";
import { freePort } from "../driver/opcua/process.ts";

const script = resolve(import.meta.dir, "../driver/opcua/asyncua_plant.py");
const interpreter = python("asyncua");
const items = 200;

/** An independent stack: what both sides of one library agree on may still be wrong. */
test.skipIf(interpreter === null)("the compiled binary against asyncua", async () => {
  const port = freePort();
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
    await until("asyncua is up", () => /^ready$/m.test(server.output), 30_000);
    gateway = await RunningGateway.start(file, join(folder.path, "store"));
    const tag = async (name: string) => (await gateway!.get(`/tags/plant.${name}`)).body;
    await until("values", async () => (await tag(`c${items - 1}`)).value >= 2, 30_000);
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
}, 90_000);
