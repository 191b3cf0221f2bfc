import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { freePort } from "../support/port.ts";
import { Program, until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";

/**
 * Machines that speak unasked and lose their power: no FIN and no RST comes, and we never send.
 * The compiled binary finds it out, and hears them again when they are back. The kernel here still
 * answers the question (RST), as a machine does that has its power again; how long it asks one that
 * stays silent, test/driver/stream.test.ts reads back from the kernel.
 */
const python = Bun.which("python3");
const mayVanish = python !== null && Bun.spawnSync([python, "-c",
  "import socket; socket.socket().setsockopt(socket.IPPROTO_TCP, 19, 1)"]).exitCode === 0;
if (!mayVanish) console.log("skipped: no python3, or TCP_REPAIR is not permitted here");
if (!mayVanish && process.env["CI"] === "true") throw new Error("CI needs TCP_REPAIR");

const folder = workFolder();
const programs: Program[] = [];
let gateway: RunningGateway;

function machine(...args: string[]): Program {
  const program = new Program([python!, join(import.meta.dir, "vanishing_peer.py"), ...args]);
  programs.push(program);
  return program;
}

function order(program: Program, line: string): void {
  void program.child.stdin.write(`${line}\n`);
  void program.child.stdin.flush();
}

const count = ({ output }: Program, word: string): number => output.split(word).length - 1;

async function reads(program: Program, device: string, code: string): Promise<void> {
  order(program, `send ${code}`);
  await until(`${device} reads ${code}`, async () =>
    (await gateway.get(`/tags/${device}.code`)).body.value === code);
}

beforeAll(async () => {
  if (!mayVanish) return;
  const served = machine("serve", "0");
  const port = Number(await until("it listens", () => /listening (\d+)/.exec(served.output)?.[1]));
  const free = await freePort();
  const telegrams = { frame: { end: "<CR>" }, telegrams: { code: {} } };
  const reader = { groups: { scans: "1s" }, tags: { code: { at: "code", type: "text(48)" } } };
  const config = folder.write("gateway.json", {
    gateway: { id: "vanished" },
    links: {
      dialled: { type: "telegram-tcp", host: "127.0.0.1", port, ...telegrams },
      dialling: { type: "telegram-listen", address: "127.0.0.1", port: free, ...telegrams },
    },
    devices: { served: { link: "dialled", ...reader }, dials: { link: "dialling", ...reader } },
    rules: {}, api: { listen: "127.0.0.1:0" },
  });
  gateway = await RunningGateway.start(config, join(folder.path, "store"));
  machine("dial", String(free));
  for (const one of programs) await until("a connection", () => count(one, "connected") === 1);
}, 120_000);
afterAll(async () => {
  await gateway?.stop();
  for (const program of programs) await program.stop("SIGKILL");
  folder.remove();
});

test.skipIf(!mayVanish)("who was dialled is dialled again, who dials is taken", async () => {
  const [served, dials] = programs as [Program, Program];
  await reads(served, "served", "4006381333931");
  await reads(dials, "dials", "4006381333931");
  for (const one of programs) order(one, "vanish");
  await until("it dialled again and was taken", async () => {
    const { body } = await gateway.get("/links");
    return body.find(({ name }: any) => name === "dialling").opens === 2;
  });
  await reads(dials, "dials", "96385074");
  // Ten seconds of silence are asked about.
  await until("it is dialled again", () => count(served, "connected") === 2, 60_000);
  await reads(served, "served", "96385074");
  const { body } = await gateway.get("/links");
  expect(body.map(({ state, opens }: any) => [state, opens])).toEqual([["open", 2], ["open", 2]]);
}, 120_000);
