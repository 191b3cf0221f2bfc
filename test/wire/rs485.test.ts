import { beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { modbusRtu } from "../../src/driver.ts";
import { linkOf } from "../driver/support.ts";

/**
 * What really reaches the kernel for a serial port, seen by a preloaded recorder. It needs a C
 * compiler; where there is none it is left out, but never in CI.
 */
const gcc = Bun.which("gcc");
const possible = gcc !== null || process.env.CI === "true";
const directory = mkdtempSync(join(tmpdir(), "recorder-"));
const library = join(directory, "recorder.so");
process.on("exit", () => rmSync(directory, { recursive: true }));

beforeAll(() => {
  if (!possible) return;
  const source = new URL("recorder.c", import.meta.url).pathname;
  const { exitCode, stderr } = Bun.spawnSync(
    [gcc ?? "gcc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"]);
  if (exitCode !== 0) throw new Error(stderr.toString());
});

/** The calls of opening a port with these settings: name and bytes. */
function recorded(settings: Record<string, unknown>): { name: string; bytes: Uint8Array }[] {
  const link = linkOf(modbusRtu, { port: "p", rs485: "kernel", ...settings });
  const file = join(directory, `record-${Bun.hash(JSON.stringify(link))}`);
  const program = new URL("record.ts", import.meta.url).pathname;
  const { exitCode, stderr } = Bun.spawnSync(
    [process.execPath, program, JSON.stringify(link.settings)],
    { env: { ...process.env, LD_PRELOAD: library, RECORD: file } });
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

test.skipIf(!possible)("a port is locked, made exclusive, set, then switched to RS-485", () => {
  expect(recorded({}).map((call) => call.name))
    .toEqual(["TCSETS", "flock", "TIOCEXCL", "TCSETS", "TIOCSRS485"]);
});

test.skipIf(!possible)("TIOCSRS485 with flags and delays; other settings, other bytes", () => {
  const rs485 = (settings: Record<string, unknown>): number[] => {
    const { bytes } = recorded(settings).find((call) => call.name === "TIOCSRS485")!;
    expect(bytes.length).toBe(32);
    return [0, 1, 2, 3, 4, 5, 6, 7].map((i) => word(bytes, i));
  };
  // SER_RS485_ENABLED | SER_RS485_RTS_ON_SEND, delays in ms, and no other word.
  expect(rs485({})).toEqual([3, 0, 0, 0, 0, 0, 0, 0]);
  expect(rs485({ rtsDelayBefore: "2ms", rtsDelayAfter: "5ms" })).toEqual([3, 2, 5, 0, 0, 0, 0, 0]);
});

test.skipIf(!possible)("rs485: adapter asks nothing of the kernel", () => {
  expect(recorded({ rs485: "adapter" }).map((call) => call.name)).not.toContain("TIOCSRS485");
});

// CS8 0x30 | CREAD 0x80 | CLOCAL 0x800, and the speed of include/uapi/asm-generic/termbits.h.
const common = 0x8b0;
test.skipIf(!possible).each([
  [1200, 9], [2400, 11], [4800, 12], [9600, 13], [19200, 14], [38400, 15], [57600, 0x1001],
  [115200, 0x1002], [230400, 0x1003],
])("%d baud", (baud, speed) => {
  expect(controlFlags({ baud, parity: "none" })).toBe(common | speed);
});

test.skipIf(!possible).each([
  ["none", 1, 0], ["even", 1, 0x100], ["odd", 1, 0x300], ["none", 2, 0x40], ["even", 2, 0x140],
])("parity %s, %d stop bits", (parity, stopBits, flags) => {
  expect(controlFlags({ parity, stopBits })).toBe(common | 14 | flags);
});
