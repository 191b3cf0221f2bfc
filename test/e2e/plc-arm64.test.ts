import { expect, test } from "bun:test";
import { join } from "node:path";
import { freePort } from "../support/port.ts";
import { binary, Program, until, workFolder } from "../support/binary.ts";
import { peer } from "../support/peer.ts";
import { python } from "../support/python.ts";

const qemu = peer("qemu-aarch64-static");
const [snap7, cpppo] = [python("snap7"), python("cpppo")];
const policy = { allow: ["cli"], maxMode: "armed", min: 0, max: 100, minInterval: "1ms" };

/** The emulated processor is some tens of times slower: long intervals, long timeouts. */
test.skipIf(qemu === null || snap7 === null || cpppo === null)(
  "the arm64 binary reads and writes an S7 and a Logix controller of other makers", async () => {
  const [s7, logix] = [await freePort(), await freePort()];
  const peers = [
    new Program([snap7!, join(import.meta.dir, "s7_peer.py"), String(s7)]),
    new Program([cpppo!, join(import.meta.dir, "ethernet_ip_peer.py"), String(logix)]),
  ];
  const folder = workFolder();
  const store = join(folder.path, "store");
  const link = { host: "127.0.0.1", timeout: "20s", connectTimeout: "20s" };
  const group = { groups: { fast: "1s" } };
  const file = folder.write("gateway.json", {
    gateway: { id: "arm" },
    links: { s7: { type: "s7", port: s7, ...link },
      logix: { type: "ethernet-ip", port: logix, ...link } },
    devices: {
      press: { link: "s7", ...group, tags: {
        temperature: { at: "DB1.DBD4", type: "float32" },
        name: { at: "DB1.DBB24", type: "text(10)" },
        setpoint: { at: "DB1.DBD8", type: "float32", access: "read-write" } } },
      oven: { link: "logix", ...group, tags: {
        big: { at: "Big", type: "int64" },
        setpoint: { at: "Setpoint", type: "float32", access: "read-write" } } },
    },
    policy: { "press.setpoint": policy, "oven.setpoint": policy },
    api: { listen: "127.0.0.1:0" },
  });
  const gateway = new Program([qemu!, "-L", "/usr/aarch64-linux-gnu", await binary("linux-arm64"),
    "run", file, "--store", store]);
  const ask = async (path: string, body?: object): Promise<any> =>
    (await fetch(`http://tagwerk${path}`, { unix: join(store, "tagwerk.sock"), keepalive: false,
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body),
        headers: { "content-type": "application/json" } }) })).json();
  const value = (tag: string): Promise<unknown> => until(`${tag} is good`, async () => {
    const told = await ask(`/tags/${tag}`);
    return told.quality === "good" ? { is: told.value } : null;
  }, 60_000).then(({ is }) => is);
  try {
    for (const one of peers) await until("a PLC", () => one.output.includes("ready"), 60_000);
    expect(await value("press.temperature")).toBe(21.5);
    expect(await value("press.name")).toBe("hello");
    expect(await value("oven.big")).toBe("0");
    for (const tag of ["press.setpoint", "oven.setpoint"]) {
      await value(tag);
      const { hash } = await ask("/proof", { tag });
      await ask("/arm", { tag, for_ms: 60_000, by: "test", proof: hash });
      expect(await ask("/write", { id: `w-${tag}`, tag, value: 42.5, within: "30s" }))
        .toMatchObject({ outcome: "verified", readBack: 42.5 });
    }
  } catch (thrown) {
    throw new Error(`${thrown}\n${gateway.output.slice(-2000)}`);
  } finally {
    await gateway.stop("SIGKILL");
    for (const one of peers) await one.stop("SIGKILL");
    folder.remove();
  }
}, 180_000);
