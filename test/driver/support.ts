import { modbusRtu, modbusTcp, type Driver, type DriverTag, type Wire } from "../../src/driver.ts";
import type { Link } from "../../src/config.ts";
import { Arena, Ring, tagColumn } from "../../src/ring.ts";

export function tag(at: string, type: DriverTag["type"], more: Partial<DriverTag> = {}): DriverTag {
  return {
    id: `press.${at.replace(/\W/g, "_")}`, station: 1, at, type, scale: 1, offset: 0,
    decimals: null, signal: null, wordOrder: "ABCD", writable: false, column: 0, ...more,
  };
}

export function linkOf(driver: Driver, settings: Record<string, unknown>): Link {
  return { name: "link", type: driver.type, settings: driver.settings.parse(settings) };
}

export const tcpLink = linkOf(modbusTcp, { host: "127.0.0.1" });
export const rtuLink = linkOf(modbusRtu, { port: "/dev/null", rs485: "adapter" });

/** A ring with one column a tag, in the order given; the tags know their columns. */
export function ringFor(tags: readonly DriverTag[]): { ring: Ring; tags: DriverTag[] } {
  const placed = tags.map((t, column) => ({ ...t, column }));
  const columns = placed.map((t) =>
    tagColumn(`c${t.column}`, t.type, t.scale !== 1 || t.offset !== 0));
  const layout = Ring.layout("test", columns, 16);
  return { ring: Ring.create(Arena.create(layout.bytes), layout).ring, tags: placed };
}

/** A wire that keeps what was sent. */
export class ScriptedWire implements Wire {
  readonly sent: Uint8Array[] = [];
  readonly within: number[] = [];
  isOpen = true;
  resets = 0;
  /** Those of them after which another connection is wanted at once. */
  renewed = 0;
  drains = 0;
  closed: () => void = () => {};

  open(): void {
    this.isOpen = true;
  }

  send(bytes: Uint8Array, n: number, within_ms: number): boolean {
    if (!this.isOpen) return false;
    this.within.push(within_ms);
    this.sent.push(bytes.slice(0, n));
    return true;
  }

  drain(): void {
    this.drains += 1;
  }

  reset(_why?: string, anew?: boolean): void {
    this.resets += 1;
    if (anew === true) this.renewed += 1;
    this.isOpen = false;
    this.closed();
  }

  get last(): Uint8Array {
    return this.sent.at(-1)!;
  }
}

/** CRC-16 bit by bit, as the standard describes it: shares nothing with the driver's table. */
export function withCrc(...bytes: number[]): Uint8Array {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >> 1) ^ 0xa001 : crc >> 1;
  }
  return Uint8Array.from([...bytes, crc & 0xff, crc >> 8]);
}
