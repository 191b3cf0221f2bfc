import { afterAll, beforeAll, expect, test } from "bun:test";
import type { LinkView } from "../../src/runtime.ts";
import { until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import { withCrc } from "../driver/support.ts";

/**
 * The compiled binary against machines whose answers have no numbers. Of the first tag every third
 * answer is preceded by something else (a damaged frame, a heartbeat), and comes itself right
 * before the next one on that connection: the second tag may never stand with the first's value.
 */
const level = 111, speed = 222;

interface Machine {
  readonly port: number;
  /** Answers that something else preceded. */
  odd: number;
  stop(): void;
}

/** `answer`: to one question; `odd`: what comes instead at first. */
function machine(
  answer: (question: Buffer) => { of: "level" | "speed"; bytes: Uint8Array },
  odd: Uint8Array,
): Machine {
  let levels = 0;
  const listener = Bun.listen<{ late: Uint8Array | null }>({
    hostname: "127.0.0.1", port: 0,
    socket: {
      open(socket) {
        socket.data = { late: null };
      },
      data(socket, question) {
        const { of, bytes } = answer(question);
        if (socket.data.late !== null) socket.write(socket.data.late);
        const isLate = of === "level" && ++levels % 3 === 0;
        socket.data.late = isLate ? bytes : null;
        socket.write(isLate ? odd : bytes);
        if (isLate) it.odd += 1;
      },
    },
  });
  const it = { port: listener.port, odd: 0, stop: () => void listener.stop(true) };
  return it;
}

const modbus = machine((question) => {
  const of = question.readUInt16BE(2) === 100 ? "level" : "speed";
  return { of, bytes: withCrc(1, 3, 2, 0, of === "level" ? level : speed) };
}, Uint8Array.of(1, 3, 2, 0, level, 0, 0));
const text = (what: string): Uint8Array => new TextEncoder().encode(`${what}\r`);
const scale = machine((question) => {
  const of = question.toString() === "L?\r" ? "level" : "speed";
  return { of, bytes: text(String(of === "level" ? level : speed)) };
}, text("PING"));

const link = { host: "127.0.0.1", timeout: "2s" };
const device = (name: string, first: object, second: object): object =>
  ({ link: name, groups: { all: "50ms" }, tags: { level: first, speed: second } });
const config = {
  gateway: { id: "in-step" },
  links: {
    converter: { type: "modbus-tcp", framing: "rtu", port: modbus.port, ...link },
    scale: { type: "telegram-tcp", frame: { end: "<CR>" }, pauseBetween: "0ms", port: scale.port,
      telegrams: { level: { send: "L?" }, speed: { send: "S?" } }, ...link },
  },
  devices: {
    drive: device("converter", { at: "holding 100", type: "uint16" },
      { at: "holding 500", type: "uint16" }),
    scales: device("scale", { at: "level", type: "uint16" }, { at: "speed", type: "uint16" }),
  },
  rules: Object.fromEntries(["drive", "scales"].flatMap((name) => [
    [`${name}-right`, { sql: `SELECT count(*) AS n FROM ${name}.all ` +
      `WHERE speed = ${speed} AND level = ${level}` }],
    [`${name}-wrong`, { sql: `SELECT level, speed FROM ${name}.all ` +
      `WHERE speed <> ${speed} OR level <> ${level}` }],
  ])),
  api: { listen: "127.0.0.1:0" },
};

const folder = workFolder({ "gateway.json": config });
let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await RunningGateway.start(`${folder.path}/gateway.json`, `${folder.path}/store`);
}, 120_000);
afterAll(async () => {
  await gateway?.stop();
  for (const { stop } of [modbus, scale]) stop();
  folder.remove();
});

test.each([["Modbus RTU over TCP", "drive", "converter", modbus],
  ["telegrams without a match", "scales", "scale", scale],
] as const)("%s: a late answer behind something else is never the next one's",
  async (_name, device, name, peer) => {
    const newest = async (rule: string): Promise<{ values: { n: number } } | null> =>
      (await gateway.get(`/streams/${device}-${rule}/latest`)).body;
    await until("odd answers, and rows with both values", async () =>
      peer.odd >= 20 && ((await newest("right"))?.values.n ?? 0) >= 20, 60_000);
    expect(await newest("wrong")).toBeNull();
    const { opens, counters } = (await gateway.get<LinkView[]>("/links")).body
      .find((one) => one.name === name)!;
    expect(counters.garbled).toBeGreaterThanOrEqual(20);
    expect(opens).toBeGreaterThanOrEqual(20);
  }, 120_000);
