import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { withCrc } from "../driver/support.ts";
import { binary, Program, until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import { canPreload } from "../support/preload.ts";
import { heard, toldLines, UartDevice, type Device, type Line } from "../support/uart.ts";

/**
 * Must-show I, of a bus: wrong parity and wrong speed, bit by bit as two UARTs that are not set
 * alike see them, on the compiled binary; and a search that finds how the device is set.
 */
const line = (baud: number, parity: Line["parity"], stopBits: 1 | 2 = 1): Line =>
  ({ baud, dataBits: 8, parity, stopBits });

/** Station 1: a meter whose registers hold 0x0123. */
function meter(request: Uint8Array): Uint8Array | null {
  const isWhole = Buffer.compare(withCrc(...request.subarray(0, -2)), request) === 0;
  if (request.length !== 8 || request[0] !== 1 || !isWhole) return null;
  const [code, count] = [request[1]!, request[5]!];
  if (code !== 3 && code !== 4) return withCrc(1, code | 0x80, 1);
  return withCrc(1, code, 2 * count, ...Array.from({ length: count }, () => [0x01, 0x23]).flat());
}

interface Trouble {
  readonly name: string;
  readonly device: Device;
  /** What the link is set to. */
  readonly set: Line;
  readonly says: RegExp | null;
}

const silence = (set: string): RegExp => new RegExp("bad:timeout: nobody answers on " +
  `/dev/pts/\\d+ at ${set}: check speed and parity \\(tagwerk scan \\S+ --search tries them\\)`);
const troubles: readonly Trouble[] = [
  { name: "alike", device: line(19200, "even"), set: line(19200, "even"), says: null },
  { name: "two-stops", device: line(19200, "none"), set: line(19200, "none", 2), says: null },
  { name: "odd", device: line(9600, "odd"), set: line(9600, "even"),
    says: silence("9600 baud, parity even") },
  { name: "no-parity", device: line(9600, "none"), set: line(9600, "even"),
    says: silence("9600 baud, parity even") },
  { name: "parity", device: line(9600, "even"), set: line(9600, "none"),
    says: silence("9600 baud, parity none") },
  { name: "slower", device: line(9600, "even"), set: line(19200, "even"),
    says: silence("19200 baud, parity even") },
  { name: "faster", device: line(115200, "none"), set: line(19200, "none"),
    says: silence("19200 baud, parity none") },
  { name: "lenient", device: { ...line(9600, "none"), lenient: true }, set: line(9600, "even"),
    says: /bad:garbled: what comes on \S+ at 9600 baud, parity even is no frame: .*--search/ },
];

const folder = workFolder();
let env: Record<string, string>;
let devices: readonly UartDevice[] = [];
let gateway: RunningGateway | null = null;
const link = (port: string, { baud, parity, stopBits }: Line): object =>
  ({ type: "modbus-rtu", port, rs485: "adapter", timeout: "100ms", baud, parity, stopBits });

beforeAll(async () => {
  if (!canPreload) return;
  env = toldLines(folder.path);
  devices = troubles.map(({ device }) => new UartDevice(env, device, meter));
  const config = folder.write("gateway.json", {
    gateway: { id: "line" },
    links: Object.fromEntries(troubles.map(({ name, set }, i) =>
      [name, link(devices[i]!.path, set)])),
    devices: Object.fromEntries(troubles.map(({ name }) => [`d-${name}`, {
      link: name, station: 1, groups: { fast: "200ms" },
      tags: { v: { at: "holding 0", type: "uint16" } } }])),
    api: { listen: "127.0.0.1:0" },
  });
  gateway = await RunningGateway.start(config, join(folder.path, "store"), [], env);
}, 120_000);
afterAll(async () => {
  await gateway?.stop("SIGKILL");
  for (const device of devices) device.close();
  folder.remove();
});

describe("two UARTs", () => {
  const text = Uint8Array.of(1, 3, 0, 0x55, 0xff, 0x80);
  const values = (from: Line, to: Line): number[] => heard(text, from, to).map((one) => one.value);
  const unsound = (from: Line, to: Line): number =>
    heard(text, from, to).filter(({ sound }) => !sound).length;

  test("alike they understand each other", () => {
    for (const both of [line(1200, "none"), line(9600, "odd"), line(115200, "even", 2)]) {
      expect(values(both, both)).toEqual([...text]);
      expect(unsound(both, both)).toBe(0);
    }
  });

  test("of another parity no character is sound, but each has its value", () => {
    expect(values(line(9600, "even"), line(9600, "odd"))).toEqual([...text]);
    expect(unsound(line(9600, "even"), line(9600, "odd"))).toBe(text.length);
  });

  test("a parity bit that nobody expects passes for a stop bit where it is 1", () => {
    expect(unsound(line(9600, "even"), line(9600, "none"))).toBe(
      [...text].filter((byte) => byte.toString(2).replaceAll("0", "").length % 2 === 0).length);
  });

  test("of another speed there are other characters, and to a slower one fewer", () => {
    expect(values(line(9600, "none"), line(19200, "none"))).not.toEqual([...text]);
    expect(values(line(19200, "none"), line(9600, "none")).length).toBeLessThan(text.length);
  });
});

describe.skipIf(!canPreload).each(troubles)("$name", ({ name, says }) => {
  test(says === null ? "is read" : "why says what to try", async () => {
    let found = { tag: { quality: "", value: 0 }, reason: "" };
    await until(`${says ?? "a good value"}`, async () => {
      found = (await gateway!.get(`/tags/d-${name}.v/why`)).body;
      return says === null ? found.tag.quality === "good" && found.tag.value === 0x0123
        : says.test(found.reason);
    }).catch((thrown: unknown) => {
      throw new Error(`${thrown}, but ${JSON.stringify(found)}`);
    });
  }, 120_000);
});

/** What a search tells last of a device that is set so, from a link that is set otherwise. */
async function searched(name: string, set: Line, line: Line): Promise<string> {
  const device = new UartDevice(env, line, meter);
  const config = folder.write(`${name}.json`, { gateway: { id: name }, devices: {},
    links: { bus: link(device.path, set) } });
  const program = new Program([await binary(), "scan", "bus", "--search", "--stations", "1",
    "--registers", "0-1", "--timeout", "500ms", "-c", config, "--store",
    join(folder.path, name)], { env });
  try {
    expect(await program.child.exited).toBe(0);
    await program.stop();
    return program.output.split("\n").slice(-5, -1).join("\n");
  } finally {
    device.close();
  }
}

test.skipIf(!canPreload)("a search finds how the device is set, and nothing else", async () => {
  const found = (parity: string): string => `bus: 9600 baud, 8 data bits, parity ${parity}, ` +
    "1 stop bit(s)\nstation 1 answers with these settings\n" +
    "  holding 0..1: 291 291\n  input 0..1: 291 291";
  expect(await Promise.all([
    searched("other-speed", line(19200, "even"), line(9600, "none")),
    searched("other-parity", line(9600, "even"), line(9600, "odd")),
  ])).toEqual([found("none"), found("odd")]);
}, 120_000);
