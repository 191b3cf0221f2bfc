import { expect, test } from "bun:test";
import { createRandom } from "../../src/base.ts";
import { modbusAscii, modbusRtu, modbusTcp } from "../../src/driver.ts";
import { linkOf, rtuLink, tcpLink, withCrc } from "./support.ts";

const mbap = (...pdu: number[]): Uint8Array =>
  Uint8Array.from([0, 7, 0, 0, 0, pdu.length + 1, 3, ...pdu]);

const asciiLink = linkOf(modbusAscii, { port: "/dev/null", rs485: "adapter" });
/** As text, its check worked out as the standard says: the two's complement of the sum. */
const asText = (...bytes: number[]): Uint8Array => {
  const lrc = (256 - bytes.reduce((sum, byte) => sum + byte, 0) % 256) % 256;
  return Buffer.from(`:${Buffer.from([...bytes, lrc]).toString("hex").toUpperCase()}\r\n`);
};

test.each([
  [[22, 0, 9, 255, 239, 0, 16], true, "FC22 writes bits of 9"],
  [[3, 0, 9, 0, 2], true, "FC3 reads holding 9..10"], [[3, 4, 0, 1, 0, 2], false, "FC3 4 bytes"],
  [[4, 0, 9, 0, 1], true, "FC4 reads input 9"], [[1, 1, 0, 0, 16], true, "FC1 reads coil 256..271"],
  [[6, 0, 9, 1, 2], true, "FC6 writes 9"], [[6, 0, 9, 1, 2], false, "FC6 wrote 9"],
  [[16, 0, 9, 0, 2, 4, 0, 0, 0, 0], true, "FC16 writes 9..10"],
  [[0x83, 2], false, "FC3 refused: 2 illegal address"],
  [[0x83, 11], false, "FC3 refused: 11 gateway: device does not answer"],
  [[0x83, 99], false, "FC3 refused: 99 of the maker's own"],
])("%p in words", (pdu, isRequest, text) => {
  expect(modbusTcp.readable(mbap(...pdu), isRequest, tcpLink)).toBe(`station 3 ${text}`);
  expect(modbusRtu.readable(withCrc(3, ...pdu), isRequest, rtuLink)).toBe(`station 3 ${text}`);
  expect(modbusAscii.readable(asText(3, ...pdu), isRequest, asciiLink)).toBe(`station 3 ${text}`);
});

test("part of a frame, a wrong CRC and any bytes are no trouble", () => {
  expect(modbusTcp.readable(mbap(3, 0, 9, 0, 2).subarray(0, 9), true, tcpLink)).toBeNull();
  expect(modbusRtu.readable(Uint8Array.of(3, 3, 2, 0, 0, 1, 1), false, rtuLink))
    .toBe("CRC wrong, or part of a frame");
  const random = createRandom(5);
  for (let i = 0; i < 20_000; i++) {
    const bytes = Uint8Array.from({ length: random.below(12) }, () => random.below(256));
    const isRequest = i % 2 === 0;
    modbusTcp.readable(bytes, isRequest, tcpLink);
    modbusRtu.readable(bytes, isRequest, rtuLink);
    modbusRtu.readable(withCrc(...bytes), isRequest, rtuLink);
    modbusAscii.readable(Uint8Array.of(0x3a, ...bytes, 13, 10), isRequest, asciiLink);
  }
});

test("on a bus that is only listened to, each frame of a piece in words", () => {
  const link = linkOf(modbusRtu, { port: "/dev/null", rs485: "adapter", listenOnly: true });
  const piece = [...withCrc(1, 3, 0, 0, 0, 2), ...withCrc(1, 3, 4, 0, 1, 0, 2),
    ...withCrc(1, 6, 0, 50, 0, 1), ...withCrc(2, 0x83, 2), 1, 3, 0];
  expect(modbusRtu.readable(Uint8Array.from(piece), false, link)).toBe("station 1 FC3 reads " +
    "holding 0..1; station 1 FC3 4 bytes; station 1 FC6 wrote 50; " +
    "station 2 FC3 refused: 2 illegal address; part of a frame");
});

test("station 0 is all of a bus, and over TCP the device itself", () => {
  const pdu = [6, 0, 9, 1, 2];
  expect(modbusRtu.readable(withCrc(0, ...pdu), true, rtuLink)).toBe("all stations FC6 writes 9");
  expect(modbusAscii.readable(asText(0, ...pdu), true, asciiLink))
    .toBe("all stations FC6 writes 9");
  const [, , , , , , , ...rest] = mbap(...pdu);
  expect(modbusTcp.readable(Uint8Array.of(0, 1, 0, 0, 0, 6, 0, ...rest), true, tcpLink))
    .toBe("station 0 FC6 writes 9");
});
