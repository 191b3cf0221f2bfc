import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { binary, Program, until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import { python } from "../support/python.ts";
import { Cable } from "../driver/opcua/process.ts";
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
      expect((await cli("trust", "ua", "/dev/zero")).output).toContain("is no regular file");
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

/** It answers whoever asks for any message once more by an empty one, as if there were no end. */
test.skipIf(interpreter === null)(
  "a connection lost for a moment, and a server that stands still during a write: nothing of " +
  "before is good, and the link is back at once", async () => {
    const port = await freePort();
    const server = new Program([interpreter!, "-u", script, String(port), "3"]);
    using cable = new Cable(port);
    const folder = workFolder();
    const file = folder.write("gateway.json", {
      gateway: { id: "ua" }, rules: {}, api: { listen: "127.0.0.1:0" },
      policy: { "plant.setpoint": { allow: ["cli"], maxMode: "armed", min: 0, max: 100,
        minInterval: "1ms" } },
      links: { ua: { type: "opcua", host: "127.0.0.1", port: cable.port, path: "/plant",
        security: "None", timeout: "1s", connectTimeout: "2s" } },
      devices: { plant: { link: "ua", groups: { fast: "200ms" }, tags: {
        count: { at: "ns=2;s=Counter0", type: "float64" },
        setpoint: { at: "ns=2;s=Setpoint", type: "float64", access: "read-write" } } } },
    });
    let gateway: RunningGateway | null = null;
    try {
      await until("asyncua is up", () => /^ready$/m.test(server.output), 90_000);
      gateway = await RunningGateway.start(file, join(folder.path, "store"));
      const link = async (): Promise<Link> => (await gateway!.get("/links")).body[0];
      const tag = async (name: string) => (await gateway!.get(`/tags/plant.${name}`)).body;
      const write = async (value: number) =>
        (await gateway!.cli("write", "plant.setpoint", String(value), "--within", "2s")).output;
      const loss = () => until("the loss", async () => {
        const now = await link();
        return now.state !== "open" && now;
      }, 20_000);
      /** It is open again within 10 s, and no row was good before. */
      const isBack = async (lost: Link, opens: number): Promise<void> => {
        const published = new Set<number>();
        await until("the link is back", async () => {
          const now = await link();
          if (now.opens < opens) published.add(publishedOf(now));
          return now.state === "open" && now.opens === opens;
        }, 10_000);
        for (const rows of published) expect(rows).toBe(publishedOf(lost));
        await until("a good value", async () => (await tag("count")).quality === "good");
      };
      await until("values", async () => (await tag("count")).value >= 2, 30_000);
      cable.drop();
      await isBack(await loss(), 2);
      expect((await link()).counters.requests).toBeLessThan(100);
      await gateway.arm("plant.setpoint");
      expect(await write(33)).toContain("verified");
      const before = (await tag("count")).value;

      process.kill(server.pid, "SIGSTOP");
      expect(await write(99)).toContain("refused");
      const silent = await loss();
      process.kill(server.pid, "SIGCONT");
      await isBack(silent, 3);
      expect(await tag("setpoint")).toMatchObject({ value: 33, quality: "good" });
      await until("it counts", async () => (await tag("count")).value > before);
      expect(publishedOf(await link())).toBeLessThan(500);
      expect(gateway.program.output).not.toContain("external-change");
      server.child.stdin.write("setpoint\n");
      await server.child.stdin.flush();
      await until("only the write that was verified came", () => /^33(\.0)?$/m.test(server.output));
    } finally {
      await gateway?.stop();
      await server.stop("SIGKILL");
      folder.remove();
    }
  }, 120_000);

interface Link {
  readonly opens: number;
  readonly state: string;
  readonly counters: { readonly requests: number };
  readonly polls: readonly { readonly polls: number; readonly failed: number }[];
}

/** Rows that the server made, of the only group. */
function publishedOf({ polls: [rows] }: Link): number {
  return rows!.polls - rows!.failed;
}
