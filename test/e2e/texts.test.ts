import { afterAll, beforeAll, expect, test } from "bun:test";
import mqtt from "mqtt";
import { aedesBroker } from "../connector/broker.ts";
import { binary, Program, until, workFolder } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";
import { canPreload, preload } from "../support/preload.ts";

/**
 * Texts are written to the simulated machines of every protocol by the compiled binary, whoever
 * writes them; and a rehearsal of a recipe, from nothing, by `--simulate`.
 */
const recipe = { type: "text(16)", access: "read-write" };
const config = {
  gateway: { id: "texts" },
  links: {
    bus: { type: "modbus-rtu", port: "/dev/bus", rs485: "adapter", baud: 115200, timeout: "2s" },
    plc: { type: "modbus-tcp", host: "192.0.2.1", timeout: "2s" },
    siemens: { type: "s7", host: "192.0.2.2", timeout: "2s" },
    logix: { type: "ethernet-ip", host: "192.0.2.3", timeout: "2s" },
    printer: { type: "telegram-tcp", host: "192.0.2.4", port: 9100, timeout: "2s", telegrams: {
      batch: { send: "B?", write: "B={value}", acknowledge: "OK", match: "^B=(.*)$",
        example: "B=none" } } },
    broker: { type: "mqtt", host: "192.0.2.9" },
  },
  devices: {
    mixer: { link: "bus", station: 7, groups: { fast: "200ms" },
      tags: { recipe: { at: "holding 20", ...recipe } } },
    press: { link: "plc", groups: { fast: "100ms" }, tags: {
      order: { at: "input 0", type: "text(16)" }, recipe: { at: "400101", ...recipe } } },
    mill: { link: "siemens", groups: { fast: "100ms" },
      tags: { recipe: { at: "DB1.DBB10", ...recipe } } },
    oven: { link: "logix", groups: { fast: "100ms" },
      tags: { recipe: { at: "Recipe.Name", ...recipe } } },
    labels: { link: "printer", groups: { fast: "200ms" },
      tags: { recipe: { at: "batch match 1", ...recipe } } },
  },
  rules: { follow: { sql: "SELECT `order` AS recipe FROM press.fast",
    to: [{ write: "press.recipe", from: "recipe" }] } },
  commands: { link: "broker", topic: "texts/write" },
  policy: {
    ...Object.fromEntries(["mixer", "mill", "oven", "labels"].map((device) =>
      [`${device}.recipe`, { allow: ["mqtt", "cli"], maxMode: "armed", pattern: "R-[0-9]{1,4}",
        minInterval: "1ms" }])),
    "press.recipe": { allow: ["rule:follow"], maxMode: "armed", values: ["R-7", "R-1234"],
      minInterval: "1ms", inputMaxAge: "2s", onLoss: { after: "30s", value: "hold" } },
  },
  api: { listen: "127.0.0.1:0" },
};

let site: Site;
let gateway: RunningGateway;
let broker: Awaited<ReturnType<typeof aedesBroker>>;
beforeAll(async () => {
  broker = await aedesBroker();
  await broker.start();
  site = await Site.start(config, { "plant.json": {
    "press.order": { kind: "constant", value: "R-7" },
    "mixer.recipe": { kind: "follow", value: "a longer recipe" } } });
  const live = site.live({ broker: { host: "127.0.0.1", port: broker.port } });
  gateway = await site.run(live, [], canPreload
    ? { ...preload("clock_sync", site.folder.path), UNSYNCED: "/nowhere" } : {});
  for (const device of Object.keys(config.devices)) await good(gateway, `${device}.recipe`);
}, 120_000);
afterAll(async () => {
  await site?.stop();
  await broker?.stop();
});

const has = async (device: string): Promise<unknown> =>
  (await site.plant.command(`get ${device}.recipe`))["value"];
const reads = async (device: string): Promise<unknown> =>
  (await gateway.get(`/tags/${device}.recipe`)).body.value;

test.skipIf(!canPreload).each(["mixer", "mill", "oven", "labels"])(
  "%s takes a text by hand and by MQTT; what the policy does not have never leaves",
  async (device) => {
    await gateway.arm(`${device}.recipe`);
    const byHand = await gateway.cli("write", `${device}.recipe`, "R-1", "--text");
    expect(byHand.output).toContain("verified");
    expect(await has(device)).toBe("R-1");
    const client = await mqtt.connectAsync({ host: "127.0.0.1", port: broker.port });
    try {
      const replies: { id: string; outcome: string; code: string | null }[] = [];
      client.on("message", (_, bytes) => { replies.push(JSON.parse(bytes.toString())); });
      await client.subscribeAsync("texts/write/reply");
      const command = async (value: unknown) => {
        const id = crypto.randomUUID();
        await client.publishAsync("texts/write", JSON.stringify(
          { id, tag: `${device}.recipe`, value, deadline: Date.now() + 5000 }));
        return until("reply", () => replies.find((reply) => reply.id === id));
      };
      expect(await command("R-2345")).toMatchObject({ outcome: "verified" });
      expect(await has(device)).toBe("R-2345");
      expect(await command("stop")).toMatchObject({ outcome: "refused", code: "text-not-allowed" });
      expect(await command(5)).toMatchObject({ outcome: "refused", code: "wrong-type" });
    } finally {
      await client.endAsync();
    }
    expect(await has(device)).toBe("R-2345");
    await until("it is read", async () => await reads(device) === "R-2345");
  }, 120_000);

test("a rule carries the recipe of an order; another one than the policy has stays", async () => {
  await gateway.arm("press.recipe");
  await until("the recipe", async () => await has("press") === "R-7");
  await site.plant.command('set press.order "R-1234"');
  await until("the next one", async () => await has("press") === "R-1234");
  await site.plant.command("set press.order R-9");
  await until("why not", async () => (await gateway.cli("why", "press.recipe")).output
    .includes("text-not-allowed"));
  expect(await has("press")).toBe("R-1234");
}, 120_000);

test("the rehearsal: --simulate, prove, write, and the report of it", async () => {
  const folder = workFolder({ "gateway.json": { ...config, rules: {}, commands: undefined,
    links: { bus: config.links.bus }, devices: { mixer: config.devices.mixer },
    store: { directory: "store" }, policy: { "mixer.recipe": {
      allow: ["cli", "prove"], maxMode: "armed", pattern: "(R-[0-9]{1,4})?", minInterval: "1ms" } },
  } });
  const file = await binary();
  const cli = async (...args: string[]): Promise<string> => {
    const program = new Program([file, ...args], { cwd: folder.path });
    await program.child.exited;
    await program.stop();
    return program.output;
  };
  const run = new Program([file, "run", "gateway.json", "--simulate"], { cwd: folder.path });
  try {
    await until("it is read", async () => (await cli("read")).includes("good"), 60_000);
    expect(await cli("prove", "mixer.recipe", "--by", "test", "--yes")).toContain("verified");
    expect(await cli("arm", "mixer.recipe", "--for", "5m", "--by", "test", "--yes"))
      .toContain("armed");
    expect(await cli("write", "mixer.recipe", "R-12", "--text")).toContain("verified");
    await until("it is read", async () => (await cli("read")).includes("R-12"));
    expect(await cli("fat-report", "gateway.json")).toMatch(/<td>R-12<\/td>.*verified by test/);
  } finally {
    await run.stop("SIGKILL");
    folder.remove();
  }
}, 120_000);
