import { expect, test } from "bun:test";
import { join } from "node:path";
import { binary, Program, until, workFolder } from "../support/binary.ts";
import { peer } from "../support/peer.ts";
import { freePort } from "../support/port.ts";
import { PlantProcess } from "../driver/opcua/process.ts";

const qemu = peer("qemu-aarch64-static");

/** The emulated processor is some tens of times slower: few items, long intervals. */
test.skipIf(qemu === null)("the arm64 binary: a signed and encrypted subscription", async () => {
  const port = await freePort();
  const plant = await PlantProcess.start(port, "5");
  const folder = workFolder();
  const store = join(folder.path, "store");
  const file = folder.write("gateway.json", {
    gateway: { id: "ua" },
    links: { ua: { type: "opcua", host: "127.0.0.1", port, security: "Basic256Sha256",
      timeout: "60s", connectTimeout: "60s" } },
    devices: { plant: { link: "ua", groups: { fast: "1s" }, tags: {
      count: { at: "ns=1;s=Counter4", type: "float64" },
      name: { at: "ns=1;s=Name", type: "text(16)" },
    } } },
    rules: { twice: { sql: "SELECT count * 2 AS twice FROM plant.fast" } },
    api: { listen: "127.0.0.1:0" },
  });
  const arm = [qemu!, "-L", "/usr/aarch64-linux-gnu", await binary("linux-arm64")];
  const running = new Program([...arm, "run", file, "--store", store]);
  const get = async (path: string): Promise<any> =>
    (await fetch(`http://tagwerk${path}`, { unix: join(store, "tagwerk.sock"), keepalive: false }))
      .json();
  try {
    const refused = await until("the certificate is refused", async () =>
      /tagwerk trust ua ([0-9a-f]{64})/.exec((await get("/links"))[0].reason), 120_000);
    const trust = new Program([...arm, "trust", "ua", refused[1]!, "--store", store]);
    expect(await trust.child.exited).toBe(0);
    await plant.ask("count 1000");
    await until("the rule has rows", async () =>
      (await get("/streams/twice/latest"))?.values?.twice >= 4, 120_000);
    expect(await get("/tags/plant.name")).toMatchObject({ value: "Mühle", quality: "good" });
  } catch (thrown) {
    throw new Error(`${thrown}\n${running.output.slice(-2000)}`);
  } finally {
    await running.stop("SIGKILL");
    await plant.stop();
    folder.remove();
  }
}, 300_000);
