import type { Link } from "../config.ts";

/**
 * What the simulator must know of a Modbus frame to log, select and damage it. Everything else is
 * the driver's own `serve`.
 *
 *     TCP   transaction(2) protocol(2)=0 length(2) | station(1) function(1) data…
 *     RTU                                            station(1) function(1) data… crc(2, low first)
 *
 * (Modbus Messaging on TCP/IP 1.0b, 3.1.3; Modbus over Serial Line 1.02, 2.5.1)
 */
export type Framing = "tcp" | "rtu";

/** Null = another protocol: its frames are recorded, held back and cut, but not understood. */
export function framingOf(link: Pick<Link, "type">, medium: "tcp" | "serial"): Framing | null {
  if (!link.type.startsWith("modbus-")) return null;
  return medium === "tcp" ? "tcp" : "rtu";
}

const mbap_bytes = 7;
const exception_bit = 0x80;
const write_functions: readonly number[] = [0x05, 0x06, 0x0f, 0x10, 0x16, 0x17];

const stationAt = (framing: Framing): number => (framing === "tcp" ? mbap_bytes - 1 : 0);

export function stationOf(framing: Framing, frame: Uint8Array): number | null {
  return frame[stationAt(framing)] ?? null;
}

/** True if the request changes something in the device. */
export function isWrite(framing: Framing, request: Uint8Array): boolean {
  return write_functions.includes(request[stationAt(framing) + 1] ?? 0);
}

/** The exception answer to a request. */
export function exceptionTo(framing: Framing, request: Uint8Array, code: number): Uint8Array {
  const at = stationAt(framing);
  const pdu = [request[at] ?? 0, (request[at + 1] ?? 0) | exception_bit, code];
  if (framing === "rtu") return withCrc(Uint8Array.from(pdu));
  return Uint8Array.from([request[0] ?? 0, request[1] ?? 0, 0, 0, 0, pdu.length, ...pdu]);
}

/** The same answer, as if another station had given it. */
export function fromStation(framing: Framing, answer: Uint8Array, station: number): Uint8Array {
  const changed = answer.slice();
  changed[stationAt(framing)] = station;
  return framing === "rtu" ? withCrc(changed.subarray(0, -2)) : changed;
}

/** The same answer, damaged where its framing notices: CRC, or on TCP the transaction number. */
export function damaged(framing: Framing, answer: Uint8Array): Uint8Array {
  const changed = answer.slice();
  const at = framing === "rtu" ? changed.length - 1 : 1;
  changed[at] = changed[at]! ^ 0xff;
  return changed;
}

/** Station that the other master of `foreignTraffic` speaks to; configurations seldom use it. */
const foreign_station = 246;

/** One request of another master and its slave's answer: read of holding register 0. */
export function foreignTraffic(value: number): { request: Uint8Array; answer: Uint8Array } {
  return {
    request: withCrc(Uint8Array.of(foreign_station, 0x03, 0, 0, 0, 1)),
    answer: withCrc(Uint8Array.of(foreign_station, 0x03, 2, (value >> 8) & 0xff, value & 0xff)),
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
