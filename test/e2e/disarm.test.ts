import { expect, test } from "bun:test";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { binary, Program, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";

test("W4: disarm latches the machine's own store, also beside a simulation", async () => {
  const folder = workFolder({ "gateway.json": { store: { directory: "./store" } } });
  mkdirSync(join(folder.path, "store-simulation"));
  const program = new Program([await binary(), "disarm", "--by", "test"], { cwd: folder.path });
  expect(await program.child.exited).toBe(0);
  await program.stop();
  for (const store of ["store", "store-simulation"]) {
    expect(existsSync(join(folder.path, store, "latch")), store).toBe(true);
    expect(program.output).toContain(join(folder.path, store));
  }
  folder.remove();
}, 60_000);

const device = {
  gateway: { id: "d", profile: "generic-256mb" },
  links: { plc: { type: "modbus-tcp", host: "127.0.0.1", port: 1 } },
  devices: { d: { link: "plc", groups: { fast: "1s" }, tags: { a: { at: "input 0",
    type: "int16" } } } },
  rules: {}, store: { directory: "./store" }, api: { listen: "127.0.0.1:0" },
};

test("W4: a gateway that runs elsewhere is found, and never taken for silent", async () => {
  const folder = workFolder({ "gateway.json": device });
  const other = join(folder.path, "other");
  const gateway = await RunningGateway.start(join(folder.path, "gateway.json"), other);
  const from = async (where: string): Promise<{ code: number; output: string }> => {
    const program = new Program([await binary(), "disarm", "--by", "test"], { cwd: where });
    const code = await program.child.exited;
    await program.stop();
    return { code, output: program.output };
  };
  // Beside its configuration, which names another store; and where nothing is known of it.
  for (const where of [folder.path, "/"]) {
    const { code, output } = await from(where);
    expect(output).toContain(`${other}: Disarmed; nothing can leave.`);
    expect(code).toBe(0);
    expect((await gateway.get("/health")).body.writing.latched).toBe(true);
    await gateway.cli("disarm", "--clear", "--by", "test");
  }
  await gateway.stop();
  const { code, output } = await from("/");
  expect(output).toContain("NOT disarmed");
  expect(code).toBe(1);
  folder.remove();
}, 60_000);

test("W5: a damaged configuration: the last good one runs from the named store", async () => {
  const folder = workFolder({ "gateway.json": device });
  const config = join(folder.path, "gateway.json");
  await (await RunningGateway.start(config, join(folder.path, "store"))).stop();
  folder.write("gateway.json", "");
  const gateway = await RunningGateway.start(config, join(folder.path, "store"));
  expect((await gateway.get("/health")).body.status).toBe("config-rejected");
  await gateway.stop();
  folder.remove();
}, 60_000);
