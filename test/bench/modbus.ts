import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert } from "../../src/base.ts";
import { monotonic } from "../../src/base/os.ts";
import { createTcpWire, DONE, modbusTcp, type Session } from "../../src/driver.ts";
import { readCell, type Ring } from "../../src/ring.ts";
import { linkOf, ringFor, tag } from "../driver/support.ts";
import { median, type Figure } from "./figure.ts";

const rounds = 7;
const registers = 125;
const reads = Number(process.env["BENCH_READS"] ?? 10_000);

/** Our master's reads/s, decoded into a ring, against a libmodbus client on the same C server. */
export async function run(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "bench-modbus-"));
  const program = compile(folder);
  const server = Bun.spawn([program, "serve"], { stdout: "pipe" });
  try {
    const port = Number(await firstLine(server.stdout));
    const master = await connect(port);
    await master.poll(reads);
    const ours: number[] = [], theirs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      ours.push(reads / await master.poll(reads));
      theirs.push(reads / pollByLibmodbus(program, port));
    }
    master.end();
    const figure = (metric: string, rates: number[], baseline: string, ratio: number | null) => ({
      bench: "modbus", metric, median: Math.round(median(rates)),
      min: Math.round(Math.min(...rates)), max: Math.round(Math.max(...rates)),
      unit: "reads/s", baseline, ratio,
    });
    const ratio = median(ours.map((rate, i) => rate / theirs[i]!));
    return [
      figure("tcp read of 125 registers", ours, "libmodbus", Math.round(ratio * 1000) / 1000),
      figure("libmodbus read of 125 registers", theirs, "", null),
    ];
  } finally {
    server.kill();
    rmSync(folder, { recursive: true });
  }
}

function compile(folder: string): string {
  const program = join(folder, "libmodbus");
  const source = new URL("libmodbus.c", import.meta.url).pathname;
  const { exitCode, stderr } = Bun.spawnSync(
    ["gcc", "-O2", "-o", program, source, "-lmodbus"]);
  if (exitCode !== 0) throw new Error(`bench modbus needs gcc and libmodbus: ${stderr}`);
  return program;
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  const reader = stream.getReader();
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error("the C server ended");
    text += new TextDecoder().decode(value);
  }
  return text;
}

function pollByLibmodbus(program: string, port: number): number {
  const { exitCode, stdout } = Bun.spawnSync([program, "poll", `${port}`, `${reads}`]);
  if (exitCode !== 0) throw new Error("the libmodbus client failed");
  return Number(stdout.toString());
}

/** The driver as the runtime drives it, without schedule: the next read begins when one ended. */
async function connect(port: number) {
  const { ring, tags } = ringFor(
    Array.from({ length: registers }, (_, at) => tag(`holding ${at}`, "uint16")));
  const link = linkOf(modbusTcp, { host: "127.0.0.1", port });
  const [request] = modbusTcp.plan(tags, link);
  let left = 0;
  let finished = (): void => {};
  const next = (): void => {
    ring.claim(1);
    session.read(request!, ring, ring.head, monotonic());
  };
  const opened = Promise.withResolvers<void>();
  const wire = createTcpWire({ host: "127.0.0.1", port }, {
    opened: () => opened.resolve(),
    closed: (why) => assert(left === 0, `bench: ${why}`),
    received: (bytes, n) => {
      session.receive(bytes, n, monotonic());
      session.step(monotonic());
      if (session.result !== DONE) return;
      ring.publish(1);
      if (--left > 0) next();
      else finished();
    },
  });
  const session: Session = modbusTcp.open(link, wire);
  wire.open();
  await opened.promise;
  const poll = async (count: number): Promise<number> => {
    const began = monotonic();
    left = count;
    next();
    await new Promise<void>((resolve) => { finished = resolve; });
    const seconds = (monotonic() - began) / 1000;
    check(ring);
    return seconds;
  };
  return { poll, end: () => wire.reset() };
}

/** The newest row holds what the server says: register n is n. */
function check(ring: Ring): void {
  ring.columns.forEach((column, at) => {
    assert(readCell(ring, column, ring.head - 1) === at, `bench: register ${at}`);
  });
}

if (import.meta.main) for (const figure of await run()) console.log(JSON.stringify(figure));
