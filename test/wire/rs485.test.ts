import { afterAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { load, type Link } from "../../src/config.ts";
import { readProfile } from "../../src/config/profiles.ts";
import { modbusRtu } from "../../src/driver.ts";
import profileFile from "../../firmware-profiles/imx8m.json" with { type: "json" };
import { linkOf } from "../driver/support.ts";
import { workFolder } from "../support/binary.ts";
import { canPreload, preload } from "../support/preload.ts";

/** What really reaches the kernel for a serial port, seen by a preloaded recorder. */
const { path: directory, remove } = workFolder();
const preloaded = canPreload ? preload("recorder", directory, import.meta.dir) : {};
afterAll(remove);

interface Call {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The calls of opening a port with these settings: name and bytes. */
function recorded(settings: Record<string, unknown>): Call[] {
  return recordedOf(linkOf(modbusRtu, { port: "p", rs485: "kernel", ...settings }));
}

function recordedOf(link: Link): Call[] {
  const file = join(directory, `record-${Bun.hash(JSON.stringify(link))}`);
  const program = new URL("record.ts", import.meta.url).pathname;
  const { exitCode, stderr } = Bun.spawnSync(
    [process.execPath, program, JSON.stringify(link.settings)],
    { env: { ...process.env, ...preloaded, RECORD: file } });
  if (exitCode !== 0) throw new Error(stderr.toString());
  return readFileSync(file, "utf8").trim().split("\n").map((line) => {
    const [name, ...hex] = line.split(" ");
    return { name: name!, bytes: Uint8Array.from(hex, (h) => Number.parseInt(h, 16)) };
  });
}

const word = (bytes: Uint8Array, i: number): number =>
  new DataView(bytes.buffer).getUint32(i * 4, true);
/** The port's own settings; the pty's other end is set first. */
function controlFlags(settings: Record<string, unknown>): number {
  const { bytes } = recorded(settings).filter((call) => call.name === "TCSETS").at(-1)!;
  // iflag, oflag, lflag: raw. VMIN 1, VTIME 0.
  expect([word(bytes, 0), word(bytes, 1), word(bytes, 3), bytes[23], bytes[22]])
    .toEqual([0, 0, 0, 1, 0]);
  return word(bytes, 2);
}

test.skipIf(!canPreload)("a port is locked, made exclusive, set, then switched to RS-485", () => {
  expect(recorded({}).map((call) => call.name))
    .toEqual(["TCSETS", "flock", "TIOCEXCL", "TCSETS", "TIOCSRS485"]);
});

/** The words of TIOCSRS485's argument. */
function rs485Of(calls: readonly Call[]): number[] {
  const { bytes } = calls.find((call) => call.name === "TIOCSRS485")!;
  expect(bytes.length).toBe(32);
  return [0, 1, 2, 3, 4, 5, 6, 7].map((i) => word(bytes, i));
}

test.skipIf(!canPreload)("TIOCSRS485 with flags and delays; other settings, other bytes", () => {
  const rs485 = (settings: Record<string, unknown>): number[] => rs485Of(recorded(settings));
  // SER_RS485_ENABLED | SER_RS485_RTS_ON_SEND, delays in ms, and no other word.
  expect(rs485({})).toEqual([3, 0, 0, 0, 0, 0, 0, 0]);
  expect(rs485({ rtsDelayBefore: "2ms", rtsDelayAfter: "5ms" })).toEqual([3, 2, 5, 0, 0, 0, 0, 0]);
});

/** One configuration, on a board whose profile says this of its port `rs485-1`. */
function onBoard(line: Record<string, string> | undefined, more: object = {}): Link {
  const { "rs485-1": port } = profileFile.serialPorts;
  const profile = readProfile("imx8m", { ...profileFile, serialPorts: {
    "rs485-1": { ...port, ...(line === undefined ? {} : { line }) } } });
  const { gateway, problems } = load(JSON.stringify({
    gateway: { id: "board", profile: "imx8m" },
    links: { bus: { type: "modbus-rtu", port: "rs485-1", rs485: "kernel", ...more } },
    api: { listen: "127.0.0.1:0" },
  }), {
    path: "gateway.json", env: {}, readFile: (path) => { throw new Error(path); },
    profile: () => profile,
    components: { links: { "modbus-rtu": modbusRtu.settings }, sources: {}, tables: {}, sinks: {},
      drivers: ["modbus-rtu"] },
  });
  expect(problems).toEqual([]);
  return gateway!.links[0]!;
}

test.skipIf(!canPreload)("K: another profile, other bytes; the link has the last word", () => {
  const plain = onBoard(undefined);
  expect(plain.settings["port"]).toBe(profileFile.serialPorts["rs485-1"].path);
  expect(rs485Of(recordedOf(plain))).toEqual([3, 0, 0, 0, 0, 0, 0, 0]);
  const slow = { rtsDelayBefore: "2ms", rtsDelayAfter: "5ms" };
  expect(rs485Of(recordedOf(onBoard(slow)))).toEqual([3, 2, 5, 0, 0, 0, 0, 0]);
  // SER_RS485_RTS_AFTER_SEND: the transceiver's input is inverted.
  const inverted = { ...slow, rtsOn: "receive" };
  expect(rs485Of(recordedOf(onBoard(inverted)))).toEqual([5, 2, 5, 0, 0, 0, 0, 0]);
  expect(rs485Of(recordedOf(onBoard(inverted, { rtsOn: "send", rtsDelayAfter: "1ms" }))))
    .toEqual([3, 2, 1, 0, 0, 0, 0, 0]);
});

test.skipIf(!canPreload)("rs485: adapter asks nothing of the kernel", () => {
  expect(recorded({ rs485: "adapter" }).map((call) => call.name)).not.toContain("TIOCSRS485");
});

// CS8 0x30 | CREAD 0x80 | CLOCAL 0x800, and the speed of include/uapi/asm-generic/termbits.h.
const common = 0x8b0;
test.skipIf(!canPreload).each([
  [1200, 9], [2400, 11], [4800, 12], [9600, 13], [19200, 14], [38400, 15], [57600, 0x1001],
  [115200, 0x1002], [230400, 0x1003],
])("%d baud", (baud, speed) => {
  expect(controlFlags({ baud, parity: "none" })).toBe(common | speed);
});

test.skipIf(!canPreload).each([
  ["none", 1, 0], ["even", 1, 0x100], ["odd", 1, 0x300], ["none", 2, 0x40], ["even", 2, 0x140],
])("parity %s, %d stop bits", (parity, stopBits, flags) => {
  expect(controlFlags({ parity, stopBits })).toBe(common | 14 | flags);
});
