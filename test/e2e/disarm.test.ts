import { expect, test } from "bun:test";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { binary, Program, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import { freePort } from "../support/port.ts";

/** Sees its own processes only: what `disarm` finds elsewhere must be nobody else's. */
const alone = ["unshare", "--pid", "--fork", "--mount-proc"];
const isRoot = process.getuid!() === 0;
if (!isRoot && process.env["CI"] === "true") throw new Error("CI needs root for unshare");
if (!isRoot) console.log("skipped: only root may make a namespace of processes");

test.skipIf(!isRoot)("W4: disarm latches the own store, also beside a simulation", async () => {
  const folder = workFolder({ "gateway.json": { store: { directory: "./store" } } });
  mkdirSync(join(folder.path, "store-simulation"));
  const program = new Program([...alone, await binary(), "disarm", "--by", "test"],
    { cwd: folder.path });
  expect(await program.child.exited).toBe(0);
  await program.stop();
  for (const store of ["store", "store-simulation"]) {
    expect(existsSync(join(folder.path, store, "latch")), store).toBe(true);
    expect(program.output).toContain(join(folder.path, store));
  }
  folder.remove();
}, 120_000);

const device = {
  gateway: { id: "d", profile: "generic-256mb" },
  links: { plc: { type: "modbus-tcp", host: "127.0.0.1", port: 1 } },
  devices: { d: { link: "plc", groups: { fast: "1s" }, tags: { a: { at: "input 0",
    type: "int16" } } } },
  rules: {}, store: { directory: "./store" }, api: { listen: "127.0.0.1:0" },
};

test.skipIf(!isRoot)("W4: what runs elsewhere is found, and never taken for silent", async () => {
  const folder = workFolder({ "gateway.json": device });
  const [config, other] = ["gateway.json", "other"].map((name) => join(folder.path, name));
  const script = `
    "$0" run ${config} --store ${other} & until [ -S ${other}/tagwerk.sock ]; do sleep 0.1; done
    cd ${folder.path}; "$0" disarm --by test; echo "beside: $?"; ls ${other}/latch
    "$0" disarm --clear --by test --store ${other}
    cd /; "$0" disarm --by test; echo "anywhere: $?"; ls ${other}/latch
    kill %1; wait; "$0" disarm --by test; echo "nothing: $?"`;
  const program = new Program([...alone, "bash", "-c", script, await binary()]);
  await program.child.exited;
  await program.stop();
  const { output } = program;
  expect(output).toMatch(/other: Disarmed; nothing can leave\.[^]*beside: 0\n.*\/latch\n/);
  expect(output).toMatch(/other: Disarmed; nothing can leave\.\nanywhere: 0\n.*\/latch\n/);
  expect(output).toMatch(/NOT disarmed[^]*nothing: 1\n/);
  folder.remove();
}, 120_000);

test.skipIf(!isRoot)("W4: another user of the box disarms by the API, or is told he did not",
  async () => {
    const folder = workFolder({ "gateway.json": device });
    chmodSync(folder.path, 0o755);
    const config = join(folder.path, "gateway.json");
    const file = join(folder.path, "tagwerk");
    copyFileSync(await binary(), file);
    const port = await freePort();
    folder.write("gateway.json", { ...device, api: { listen: `127.0.0.1:${port}` } });
    const gateway = await RunningGateway.start(config, join(folder.path, "store"));
    const nobody = async (): Promise<string> => {
      const program = new Program([...alone, "setpriv", "--reuid", "65534", "--clear-groups", file,
        "disarm", "--by", "eve", "-c", config], { cwd: "/" });
      const code = await program.child.exited;
      await program.stop();
      return `${code} ${program.output}`;
    };
    expect(await nobody()).toBe(`0 ${gateway.store}: Disarmed; nothing can leave.\n`);
    expect(readFileSync(join(gateway.store, "latch"), "utf8")).toContain("eve");
    const { body } = await gateway.get<any[]>("/audit");
    expect(body[0]).toMatchObject({ code: "disarmed", who: "eve", origin: "rest" });
    await gateway.stop();
    expect(await nobody()).toMatch(
      /^1 .*store: NOT disarmed: .*sudo -u '\w+' tagwerk disarm --by 'eve' --store .*store\n$/);
    folder.remove();
  }, 120_000);

test("W5: a damaged configuration: the last good one runs from the named store", async () => {
  const folder = workFolder({ "gateway.json": device });
  const config = join(folder.path, "gateway.json");
  await (await RunningGateway.start(config, join(folder.path, "store"))).stop();
  folder.write("gateway.json", "");
  const gateway = await RunningGateway.start(config, join(folder.path, "store"));
  expect((await gateway.get("/health")).body.status).toBe("config-rejected");
  await gateway.stop();
  folder.remove();
}, 120_000);
