import { afterAll, beforeAll, expect, test } from "bun:test";
import { ServerTCP } from "modbus-serial";
import { join } from "node:path";
import { freePort } from "../support/port.ts";
import { Cable, PlantProcess } from "../driver/opcua/process.ts";
import { until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";

/**
 * A device that gets another address behind its name, and one that has a stand-in (`backupHost`).
 * The name is one of /etc/hosts, of which the gateway sees a file of the test.
 */
const own = ["unshare", "--mount"];
const permitted = Bun.spawnSync([...own, "true"]).exitCode === 0;
if (!permitted) console.log("skipped: no mounts of one's own here");

const port = await freePort();
const folder = workFolder({ hosts: "127.0.0.2 plc.test ua.test\n" });

/** An independent server (modbus-serial) that holds one number. */
class Device {
  readonly #host: string;
  readonly #value: number;
  #server: ServerTCP | null = null;

  constructor(host: string, value: number) {
    this.#host = host;
    this.#value = value;
  }

  async start(): Promise<void> {
    const server = new ServerTCP({ getHoldingRegister: () => this.#value, setRegister() {} },
      { host: this.#host, port, unitID: 1 });
    this.#server = server;
    await new Promise((done) => server.on("initialized", done));
  }

  /** It is gone with all its connections, and its port is free. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server !== null) await new Promise<void>((done) => server.close(() => done()));
  }
}

const [first, moved] = [new Device("127.0.0.2", 1), new Device("127.0.0.3", 2)];
const [main, standIn] = [new Device("127.0.0.4", 3), new Device("127.0.0.5", 4)];
const [uaPort, serverPort] = [await freePort(), await freePort()];
const link = { type: "modbus-tcp", port, timeout: "200ms", connectTimeout: "500ms" };
const device = (name: string): object => ({ link: name, groups: { fast: "50ms" },
  tags: { n: { at: "holding 0", type: "int16", access: "read-write" } } });
const config = {
  gateway: { id: "addresses" },
  links: { named: { ...link, host: "plc.test" },
    backed: { ...link, host: "127.0.0.4", backupHost: "127.0.0.5" },
    ua: { type: "opcua", host: "ua.test", port: uaPort, security: "None" } },
  devices: { a: device("named"), b: device("backed"),
    c: { link: "ua", groups: { fast: "250ms" }, tags: {
      setpoint: { at: "ns=1;s=Setpoint", type: "float64", access: "read-write" } } } },
  policy: Object.fromEntries(["a.n", "c.setpoint"].map((tag) =>
    [tag, { allow: ["cli"], maxMode: "armed", min: 0, max: 99, minInterval: "10ms" }])),
  rules: {},
  api: { listen: "127.0.0.1:0" },
};

let gateway: RunningGateway;
let plant: PlantProcess;
let cables: Cable[];
const shows = (tag: string, value: number): Promise<unknown> =>
  until(`${tag} is ${value}`, async () => {
    const { body } = await gateway.get(`/tags/${tag}`);
    return body.value === value && body.quality === "good";
  });
const armed = async (): Promise<string[]> => (await gateway.get("/health")).body.writing.armed;

beforeAll(async () => {
  if (!permitted) return;
  await Promise.all([first.start(), moved.start(), standIn.start()]);
  plant = await PlantProcess.start(serverPort);
  cables = ["127.0.0.2", "127.0.0.3"].map((host) => new Cable(serverPort, host, uaPort));
  gateway = await RunningGateway.start(folder.write("gateway.json", config),
    join(folder.path, "store"), [], {}, [...own, "sh", "-c",
      'mount --bind "$0" /etc/hosts && exec "$@"', join(folder.path, "hosts")]);
}, 120_000);
afterAll(async () => {
  await gateway?.stop();
  await Promise.all([first, moved, main, standIn].map((one) => one.stop()));
  await plant?.stop();
  for (const cable of cables ?? []) cable.stop();
  folder.remove();
});

test.skipIf(!permitted)(
  "W3: a name is looked up again when it is connected anew; the other peer is not armed",
  async () => {
    await shows("a.n", 1);
    await gateway.arm("a.n");
    expect(await armed()).toEqual(["a.n"]);
    folder.write("hosts", "127.0.0.3 plc.test\n");
    await first.stop();
    await shows("a.n", 2);
    const links = (await gateway.get("/links")).body as any[];
    expect(links.find(({ name }) => name === "named").peer).toBe(`127.0.0.3:${port}`);
    expect(await armed()).toEqual([]);
  }, 120_000);

test.skipIf(!permitted)("a name that is gone is told, and found again", async () => {
  folder.write("hosts", "# nothing\n");
  await moved.stop();
  await until("the link says so", async () => ((await gateway.get("/links")).body as any[])
    .some(({ reason }) => /the name plc\.test has no address.*DNS/.test(reason)));
  folder.write("hosts", "127.0.0.2 plc.test\n");
  await first.start();
  await shows("a.n", 1);
}, 120_000);

test.skipIf(!permitted)("the stand-in answers while the device is off, and the other way round",
  async () => {
    await shows("b.n", 4);
    await main.start();
    await standIn.stop();
    await shows("b.n", 3);
    await standIn.start();
    await main.stop();
    await shows("b.n", 4);
  }, 120_000);

test.skipIf(!permitted)(
  "W2, W3: the gate's own connection to an OPC UA server never leads elsewhere than the link's",
  async () => {
    folder.write("hosts", "127.0.0.2 ua.test\n");
    await until("the link is open", async () =>
      (await gateway.get("/tags/c.setpoint")).body.quality === "good", 60_000);
    await gateway.arm("c.setpoint");
    expect((await gateway.cli("write", "c.setpoint", "5")).output).toContain("verified");
    folder.write("hosts", "127.0.0.3 ua.test\n");
    cables[0]!.drop();
    expect((await gateway.cli("write", "c.setpoint", "6")).output).not.toContain("verified");
    expect(await plant.ask("writes")).toBe("[5]");
    expect(gateway.program.output).toContain(
      `ua.test leads to 127.0.0.3:${uaPort} now, the link to 127.0.0.2:${uaPort}`);
    folder.write("hosts", "127.0.0.2 ua.test\n");
    await until("it is found again", async () =>
      (await gateway.cli("write", "c.setpoint", "7")).output.includes("verified"), 60_000);
    expect(await plant.ask("writes")).toBe("[5,7]");
  }, 120_000);
