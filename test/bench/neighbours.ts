import { join } from "node:path";
import type { LinkView } from "../../src/runtime.ts";
import { Program, until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import { compile } from "./compile.ts";
import type { Figure } from "./figure.ts";
import { ModbusPeer } from "./modbus-peer.ts";

/** A dead station is asked after 1, 2, 4, 8 and then each 10 s: a minute has all of that. */
const seconds = Number(process.env["BENCH_SECONDS"] ?? 60);
/** Links need no such course: what they lose they lose at once. */
const link_seconds = Math.min(15, seconds);
const settle_ms = 2000;
const stations = 32;
const dead = 7;
const links = 10;
const baud = 19_200;
const registers = 10;

/**
 * What is dead must not slow what is well (issue 5, D): polls and their ages with one dead station
 * of 32 on a bus that has no idle moment, and with one dead link of ten, against the same without.
 */
export async function run(): Promise<Figure[]> {
  const well = await onBus(null);
  const beside = await onBus(dead);
  return [
    ...figures(`bus of ${stations} stations, ${baud} baud, one dead`, well, beside),
    ...await onLinks(),
  ];
}

interface Rate {
  /** Good polls a second of all that is well. */
  readonly rate: number;
  readonly ages: readonly number[];
}

function figures(what: string, well: Rate, beside: Rate): Figure[] {
  const p99 = ({ ages }: Rate): number =>
    ages.toSorted((a, b) => a - b)[Math.floor(0.99 * (ages.length - 1))]!;
  const line = (metric: string, ours: number, base: number, unit: string): Figure => ({
    bench: "neighbours", metric: `${what}: ${metric}`, median: ours, min: ours, max: ours, unit,
    baseline: "the same without", ratio: Number((ours / base).toFixed(3)),
  });
  return [line("good polls of the others", beside.rate, well.rate, "polls/s"),
    line("age of their values p99", p99(beside), p99(well), "ms")];
}

async function onBus(silent: number | null): Promise<Rate> {
  const folder = workFolder();
  const bus = new Program([compile("rs485_peer", folder.path), `${baud}`, "600", `${silent ?? 0}`]);
  const gateways: RunningGateway[] = [];
  try {
    const port = await until("the peer's pty", () => /^\/dev\/\S+$/m.exec(bus.output)?.[0] ?? null);
    const config = folder.write("gateway.json", {
      gateway: { id: "neighbours" },
      links: { bus: { type: "modbus-rtu", port, rs485: "adapter", baud, parity: "even" } },
      // More often than the bus can.
      types: { meter: { groups: { all: "500ms" }, tags: Object.fromEntries(
        Array.from({ length: registers }, (_, i) =>
          [`r${i}`, { at: `holding ${i}`, type: "uint16" }])) } },
      devices: { [`m{1..${stations}}`]: { use: "meter", link: "bus", station: "{n}" } },
      api: { listen: "127.0.0.1:0" },
    });
    const gateway = await RunningGateway.start(config, join(folder.path, "store"));
    gateways.push(gateway);
    await Bun.sleep(settle_ms);
    const others = Array.from({ length: stations }, (_, i) => i + 1).filter((n) => n !== dead);
    return await measured(gateway, seconds,
      others.map((n) => ({ stream: `m${n}.all`, tag: `m${n}.r0` })));
  } finally {
    for (const gateway of gateways) await gateway.stop();
    await bus.stop("SIGKILL");
    folder.remove();
  }
}

async function onLinks(): Promise<Figure[]> {
  const folder = workFolder();
  const peer = await ModbusPeer.start(folder.path, links);
  const config = folder.write("gateway.json", {
    gateway: { id: "neighbours" },
    links: Object.fromEntries(peer.ports.map((port, i) =>
      [`line-${i}`, { type: "modbus-tcp", host: "127.0.0.1", port }])),
    types: { drive: { groups: { all: "100ms" }, tags: Object.fromEntries(
      Array.from({ length: 1000 }, (_, i) =>
        [`t${i}`, { at: `input ${2 * i}`, type: "float32" }])) } },
    devices: Object.fromEntries(peer.ports.map((_, i) =>
      [`d${i}`, { use: "drive", link: `line-${i}` }])),
    api: { listen: "127.0.0.1:0" },
  });
  const gateway = await RunningGateway.start(config, join(folder.path, "store"));
  try {
    const others = peer.ports.flatMap((_, i) =>
      (i === dead ? [] : [{ stream: `d${i}.all`, tag: `d${i}.t0` }]));
    await Bun.sleep(settle_ms);
    const well = await measured(gateway, link_seconds, others);
    peer.mute(dead);
    await Bun.sleep(settle_ms);
    return figures(`${links} links of 1,000 tags, 100 ms, one dead`, well,
      await measured(gateway, link_seconds, others));
  } finally {
    await gateway.stop();
    await peer.stop();
    folder.remove();
  }
}

async function measured(
  gateway: RunningGateway, span_s: number,
  others: readonly { stream: string; tag: string }[],
): Promise<Rate> {
  const good = async (): Promise<number> => {
    const streams = new Set(others.map(({ stream }) => stream));
    return (await gateway.get<LinkView[]>("/links")).body.flatMap((link) => link.polls)
      .filter(({ stream }) => streams.has(stream))
      .reduce((sum, { polls, failed }) => sum + polls - failed, 0);
  };
  const ages: number[] = [];
  const from = await good(), began = performance.now();
  for (let n = 0; performance.now() - began < span_s * 1000; n++) {
    const { tag } = others[n % others.length]!;
    ages.push((await gateway.get<{ age_ms: number }>(`/tags/${tag}`)).body.age_ms);
    await Bun.sleep(10);
  }
  return { rate: (await good() - from) / (performance.now() - began) * 1000, ages };
}

if (import.meta.main) for (const figure of await run()) console.log(JSON.stringify(figure));
