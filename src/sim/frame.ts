import type { Link } from "../config.ts";
import { framingOf, type FramingName } from "../driver.ts";

/**
 * What the simulator must know of a Modbus frame to log, select and damage it. Everything else is
 * the driver's own `serve`.
 *
 *     tcp    transaction(2) protocol(2)=0 length(2) | station(1) function(1) data…
 *     rtu                                            station(1) function(1) data… crc(2, low first)
 *     ascii  ":"  the same as text, two digits a byte, lrc(1) in the place of the crc  CR LF
 *
 * (Modbus Messaging on TCP/IP 1.0b, 3.1.3; Modbus over Serial Line 1.02, 2.5.1 and 2.5.2)
 */
/** Null = another protocol: its frames are recorded, held back and cut, but not understood. */
export function understood(link: Link): FramingName | null {
  return link.type.startsWith("modbus-") ? framingOf(link) : null;
}

const header_bytes = 6;
const exception_bit = 0x80;
const write_functions: readonly number[] = [0x05, 0x06, 0x0f, 0x10, 0x16, 0x17];

/** Station and PDU of a frame, which may be broken. */
function bodyOf(framing: FramingName, frame: Uint8Array): Uint8Array {
  switch (framing) {
    case "tcp": return frame.subarray(header_bytes);
    case "rtu": return frame.subarray(0, Math.max(0, frame.length - 2));
    case "ascii": {
      const text = Buffer.from(frame).toString("latin1");
      return Buffer.from(text.slice(text.lastIndexOf(":") + 1, -4), "hex");
    }
  }
}

/** The frame of station and PDU, with the transaction number of `like`. */
function frameOf(framing: FramingName, body: Uint8Array, like: Uint8Array): Uint8Array {
  switch (framing) {
    case "tcp": {
      const { length } = body;
      return Uint8Array.of(like[0] ?? 0, like[1] ?? 0, 0, 0, length >> 8, length & 0xff, ...body);
    }
    case "rtu": return withCrc(body);
    case "ascii": {
      const lrc = -body.reduce((sum, byte) => sum + byte, 0) & 0xff;
      return Buffer.from(`:${Buffer.from([...body, lrc]).toString("hex").toUpperCase()}\r\n`);
    }
  }
}

export function stationOf(framing: FramingName, frame: Uint8Array): number | null {
  return bodyOf(framing, frame)[0] ?? null;
}

/** True if the request changes something in the device. */
export function isWrite(framing: FramingName, request: Uint8Array): boolean {
  return write_functions.includes(bodyOf(framing, request)[1] ?? 0);
}

/** The exception answer to a request. */
export function exceptionTo(
  framing: FramingName, request: Uint8Array, code: number,
): Uint8Array {
  const [station = 0, asked = 0] = bodyOf(framing, request);
  return frameOf(framing, Uint8Array.of(station, asked | exception_bit, code), request);
}

/** The same answer, as if another station had given it. */
export function fromStation(
  framing: FramingName, answer: Uint8Array, station: number,
): Uint8Array {
  const body = bodyOf(framing, answer).slice();
  body[0] = station;
  return frameOf(framing, body, answer);
}

/** The same answer, damaged where its framing notices: check, or on TCP the transaction number. */
export function damaged(framing: FramingName, answer: Uint8Array): Uint8Array {
  const changed = answer.slice();
  if (framing === "tcp") changed[1]! ^= 0xff;
  else if (framing === "rtu") changed[changed.length - 1]! ^= 0xff;
  // Another digit of the LRC.
  else changed[changed.length - 3] = changed[changed.length - 3] === 0x30 ? 0x31 : 0x30;
  return changed;
}

/** Station that the other master of `foreignTraffic` speaks to; configurations seldom use it. */
const foreign_station = 246;

/** One request of another master and its slave's answer: read of holding register 0. */
export function foreignTraffic(
  framing: FramingName, value: number,
): { request: Uint8Array; answer: Uint8Array } {
  const none = new Uint8Array(0);
  const answer = [foreign_station, 0x03, 2, (value >> 8) & 0xff, value & 0xff];
  return {
    request: frameOf(framing, Uint8Array.of(foreign_station, 0x03, 0, 0, 0, 1), none),
    answer: frameOf(framing, Uint8Array.from(answer), none),
  };
}

function withCrc(frame: Uint8Array): Uint8Array {
  const crc = crc16(frame);
  return Uint8Array.from([...frame, crc & 0xff, crc >> 8]);
}

/** CRC-16/MODBUS: polynomial 0x8005 reflected, start 0xFFFF (Serial Line 1.02, 6.2.2). */
export function crc16(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >> 1) ^ 0xa001 : crc >> 1;
  }
  return crc;
}
