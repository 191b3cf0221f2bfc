import { describe, expect, test } from "bun:test";
import {
  ethernetIp, modbusAscii, modbusRtu, modbusTcp, opcua, s7, telegramSerial,
  type AnyDriver, type Trouble,
} from "../../src/driver.ts";
import { BAD } from "../../src/ring.ts";
import { tag } from "./support.ts";

/** Must-show I, in words: by driver, what is wrong, and what a person is told to try. */
const silent: Trouble = { station: 3, tag: null, state: BAD.timeout, exception: 0,
  answered: false, othersAnswer: false };
const noise: Trouble = { ...silent, state: BAD.garbled };
const refused = (exception: number): Trouble => ({ ...silent, state: BAD.exception, exception });
const missing = (at: string): Trouble =>
  ({ ...silent, state: BAD.address, tag: tag(at, at.startsWith("coil") ? "bool" : "int16") });

const bus = { port: "/dev/ttyS1", rs485: "adapter", baud: 9600, parity: "none" };
const plc = { host: "10.0.0.5", timeout: "2s" };
const scale = { port: "/dev/ttyS2", rs485: "adapter",
  telegrams: { w: { send: "SI", match: "S +([0-9.]+)" } } };

type Case = readonly [
  driver: AnyDriver, settings: object, trouble: Trouble, says: RegExp | null];
const cases: readonly Case[] = [
  [modbusRtu, bus, silent, /nobody answers on \/dev\/ttyS1 at 9600 baud, parity none: .*--search/],
  [modbusRtu, bus, { ...silent, othersAnswer: true },
    /others on this bus answer: is 3 its number, is it on, .*speed and parity/],
  [modbusRtu, bus, { ...silent, answered: true }, /answered before: is it on, .*cable whole/],
  [modbusRtu, bus, noise, /what comes on \/dev\/ttyS1 at 9600 .*A and B are swapped/],
  [modbusRtu, bus, { ...noise, othersAnswer: true },
    /noise, or two stations have the number 3: check the 120 Ω at both ends/],
  [modbusAscii, bus, noise, /what comes on .*is no frame/],
  [modbusRtu, bus, refused(6), /busy \(exception 6\)/],
  [modbusRtu, { ...bus, listenOnly: true },
    { ...silent, state: BAD.initial, tag: tag("input 4", "int16") },
    /master has not read input 4 yet, or not as a whole, or 9600 baud .*tagwerk frames link/],
  [modbusRtu, { ...bus, listenOnly: true }, silent, /station 3 does not answer its master/],
  [modbusTcp, plc, { ...silent, othersAnswer: true }, /others behind this address answer: is 3/],
  [modbusTcp, plc, { ...silent, answered: true }, /is it on, and is "timeout" long enough/],
  [modbusTcp, plc, refused(4), /the device itself failed \(exception 4\)/],
  [modbusTcp, plc, refused(99), /exception 99 of the device's own/],
  [modbusTcp, plc, missing("holding 0"), /no holding 0 \(400001\): try the other table, input 0/],
  [modbusTcp, plc, missing("300010"), /no input 9 \(300010\): try input 8 .*holding 9 \(400010\)/],
  [modbusTcp, plc, missing("coil 3"), /no coil 3 \(000004\): .*discrete 3 \(100004\)/],
  [modbusTcp, plc, { ...silent, state: BAD.disconnected }, null],
  [s7, plc, { ...silent, state: BAD.disconnected }, /the PLC knows no rack 0, slot 1/],
  [s7, plc, silent, /too slow for the 2s of "timeout"/],
  [s7, plc, refused(0x8104), /Permit access with PUT\/GET communication/],
  [s7, plc, missing("DB9.DBW0"), /no such block, .*Optimized block access/],
  [ethernetIp, plc, silent, /is the controller in slot 0/],
  [ethernetIp, plc, refused(0x312), /no controller in that slot/],
  [ethernetIp, plc, missing("Speed"), /no such tag: is it spelled as in the program/],
  [opcua, { host: "ua", security: "None" }, missing("ns=1;s=Nobody"),
    /no node ns=1;s=Nobody: tagwerk browse link lists/],
  [telegramSerial, scale, silent, /are 9600 baud and parity none its own, .*tagwerk frames link/],
  [telegramSerial, scale, noise, /does not fit "match", the frame or its checksum/],
];

describe("advice", () => {
  test.each(cases)("%o", (driver, settings, trouble, says) => {
    const link = { name: "link", type: driver.type,
      settings: driver.settings.parse(settings) as Record<string, unknown> };
    const advice = driver.advise(trouble, link);
    expect(advice).toEqual(says === null ? null : expect.stringMatching(says));
  });
});
