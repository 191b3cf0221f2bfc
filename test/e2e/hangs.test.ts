import type { TCPSocketListener } from "bun";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ServerTCP } from "modbus-serial";
import { join } from "node:path";
import { Cable, PlantProcess } from "../driver/opcua/process.ts";
import { until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import { freePort } from "../support/port.ts";

/** The compiled binary and equipment that takes what the gate sends, and then hangs. */
const [port, plcPort] = [await freePort(), await freePort()];
let plant: PlantProcess;
let plc: ServerTCP;
/** A controller that answers each read, and no write. */
let mute: TCPSocketListener;
/** Writes that it heard. */
let muted = 0;

beforeAll(async () => {
  plc = new ServerTCP({ getHoldingRegister: () => 7 }, { host: "127.0.0.1", port: plcPort });
  await new Promise((done) => plc.on("initialized", done));
  plant = await PlantProcess.start(port);
  mute = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: {
    data(socket, request) {
      const [head, code, count] = [request.subarray(0, 4), request[7]!, request.readUInt16BE(10)];
      if (code !== 3) return void (muted += 1);
      socket.write(Buffer.concat([head, Buffer.of(0, 3 + 2 * count, request[6]!, 3, 2 * count),
        Buffer.alloc(2 * count)]));
    },
  } });
}, 120_000);

afterAll(async () => {
  await plant?.stop();
  mute?.stop(true);
  await new Promise<void>((done) => plc.close(() => done()));
});

const config = (profile: string, at: number): object => ({
  gateway: { id: "hangs", profile },
  policy: Object.fromEntries(["plant.setpoint", "valve.open"].map((tag) =>
    [tag, { allow: ["cli"], maxMode: "armed", min: 0, max: 100, minInterval: "10ms" }])),
  links: { ua: { type: "opcua", host: "127.0.0.1", port: at, security: "None" },
    plc: { type: "modbus-tcp", host: "127.0.0.1", port: plcPort },
    mute: { type: "modbus-tcp", host: "127.0.0.1", port: mute.port, timeout: "10s" } },
  devices: {
    plant: { link: "ua", groups: { fast: "250ms" }, tags: {
      setpoint: { at: "ns=1;s=Setpoint", type: "float64", access: "read-write" } } },
    press: { link: "plc", groups: { fast: "100ms" }, tags: {
      n: { at: "holding 0", type: "int16" } } },
    valve: { link: "mute", groups: { fast: "100ms" }, tags: {
      open: { at: "holding 1", type: "int16", access: "read-write" } } },
  },
  rules: {}, api: { listen: "127.0.0.1:0" },
});

describe.each([["one thread", "generic-512mb"], ["three threads", "raspberry-pi-4"]])("%s", (
  _, profile) => {
  test.each([["OPC UA", "plant.setpoint"], ["Modbus", "valve.open"]])(
    "W4, %s: a disarm gives up a write that is not answered, and the others go on", async (
      _link, tag) => {
      const folder = workFolder();
      using cable = new Cable(port);
      const file = folder.write("gateway.json", config(profile, cable.port));
      const gateway = await RunningGateway.start(file, join(folder.path, "store"));
      const polls = async (): Promise<number> => (await gateway.get<any[]>("/links")).body
        .find(({ name }) => name === "plc").polls[0].polls;
      try {
        await until("a good row", async () =>
          (await gateway.get(`/tags/${tag}`)).body.quality === "good");
        await gateway.arm(tag);
        const heard = muted;
        // The read for the command passes, and the server does not hear the write.
        cable.cutAfter(1);
        const waits = gateway.cli("write", tag, "77", "--within", "20s");
        // It has left by then, and waits for 5 s and more.
        await Bun.sleep(1000);
        const began = performance.now();
        const { output } = await gateway.cli("disarm", "--by", "test");
        expect(output).toContain("Disarmed; nothing can leave.");
        expect(performance.now() - began).toBeLessThan(1900);
        expect((await waits).output).toContain("unknown");
        const before = await polls();
        await until("polls go on", async () => await polls() > before + 5, 5000);
        expect(gateway.program.child.exitCode).toBeNull();
        cable.mend();
        await until("the link is back", async () =>
          (await gateway.get(`/tags/${tag}`)).body.quality === "good", 30_000);
        // W14: nothing of it arrives later, and nothing twice.
        expect(JSON.parse(await plant.ask("writes"))).not.toContain(77);
        expect(muted - heard).toBe(tag === "valve.open" ? 1 : 0);
      } finally {
        await gateway.stop("SIGKILL");
        folder.remove();
      }
    }, 120_000);
});

describe.each([["one thread", "generic-512mb"], ["three threads", "raspberry-pi-4"]])("%s", (
  _, profile) => {
  test.each([["takes the connection and is silent", 0], ["answers the greeting alone", 1]])(
    "W4, W11: a server that %s: a command ends in time, and a disarm is answered", async (
      _hangs, passes) => {
      const folder = workFolder();
      using cable = new Cable(port);
      const file = folder.write("gateway.json", config(profile, cable.port));
      const gateway = await RunningGateway.start(file, join(folder.path, "store"));
      const timed = async (...args: string[]): Promise<{ output: string; took_ms: number }> => {
        const began = performance.now();
        const { output } = await gateway.cli(...args);
        return { output, took_ms: performance.now() - began };
      };
      const polls = async (): Promise<number> => (await gateway.get<any[]>("/links")).body
        .find(({ name }) => name === "plc").polls[0].polls;
      try {
        await until("a good row", async () =>
          (await gateway.get("/tags/plant.setpoint")).body.quality === "good");
        await gateway.arm("plant.setpoint");
        // The newest connection is the gate's.
        cable.passes = passes;
        cable.drop();
        const late = await timed("write", "plant.setpoint", "55", "--within", "3s");
        expect(late.output).toMatch(/expired.* deadline passed .* ms ago, before its tag was read/);
        expect(late.took_ms).toBeGreaterThan(2900);
        expect(late.took_ms).toBeLessThan(5000);
        const waits = timed("write", "plant.setpoint", "56", "--within", "20s");
        // It is past the gate, and waits for its read.
        await Bun.sleep(500);
        const before = await polls();
        const { output, took_ms } = await timed("disarm", "--by", "test");
        expect(output).toContain("Disarmed; nothing can leave.");
        expect(took_ms).toBeLessThan(1500);
        const stopped = await waits;
        expect(stopped.output).toContain("latched");
        expect(stopped.took_ms).toBeLessThan(5000);
        await until("polls go on", async () => await polls() > before + 5, 5000);
        expect(gateway.program.child.exitCode).toBeNull();
        // What it had not read until now it reads, and goes on.
        cable.mend();
        await gateway.cli("disarm", "--clear", "--by", "test");
        await until("the gate has its connection back", async () => (await gateway.cli("arm",
          "plant.setpoint", "--for", "5m", "--by", "test", "--yes")).code === 0, 30_000);
        expect((await gateway.cli("write", "plant.setpoint", "33")).output).toContain("verified");
        const written = JSON.parse(await plant.ask("writes")) as number[];
        expect([written.includes(33), written.includes(55), written.includes(56)])
          .toEqual([true, false, false]);
      } finally {
        await gateway.stop("SIGKILL");
        folder.remove();
      }
    }, 120_000);
});
