import type { TagOnLink } from "../../config.ts";
import type { Ring } from "../../ring.ts";

/**
 * Modbus as its drivers speak it: addresses, types and word orders are spelled alike on both sides.
 * The registry hands it in, as components are strangers.
 */
export interface Modbus {
  /** One sentence of what would be right about a register, or null. */
  checkTag(tag: TagOnLink): string | null;
  /** The bits that a value takes, `to` included. */
  extent(tag: TagOnLink): { area: string; from: number; to: number };
  /** `station` null: all are answered. */
  open(tags: readonly TagOnLink[], station: number | null, host: RegisterHost): Registers;
}

export interface RegisterHost {
  /** A client is about to be told what stands there: now is the time to put it. */
  reading(): void;
  /** One request of a client set all of these; `fill` puts a value into a row. */
  written(tags: readonly TagOnLink[], fill: Fill): void;
}

export type Fill = (tag: TagOnLink, into: Ring, seq: number) => void;

export interface Registers {
  /** False: the registers cannot hold the value, and say so. */
  put(tag: TagOnLink, value: number): boolean;
  putText(tag: TagOnLink, bytes: Uint8Array, from: number, n: number): boolean;
  /** There is no value. */
  clear(tag: TagOnLink): void;
  /** For one connection. */
  accept(): Answering;
}

/** Takes a client's bytes and answers each request among them. */
export interface Answering {
  receive(bytes: Uint8Array, n: number, now: number, on: {
    /** `valid` false: no frame begins here. */
    frame(bytes: Uint8Array, n: number, valid: boolean): void;
    reply(bytes: Uint8Array, n: number): void;
  }): void;
}
