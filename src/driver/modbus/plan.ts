import { limits } from "../../base.ts";
import type { DriverTag, Request } from "../../driver.ts";
import type { Ring } from "../../ring.ts";
import { runsOf } from "../wire/runs.ts";
import { isBits, type Area } from "./address.ts";
import { decodeCell, Field, type Form } from "./codec.ts";
import { readFunction } from "./pdu.ts";

/** How far a plan may go; a link's settings narrow it for devices that take less. */
export interface PlanLimits {
  readonly registers_max: number;
  readonly bits_max: number;
  /** Registers (bits: 16 times as many) between two tags that are read along to spare a request. */
  readonly gap_max: number;
}

const bits_per_register = 16;

/** One read: `count` registers or bits of one area and station. */
export class ModbusRequest implements Request {
  readonly station: number;
  readonly area: Area;
  readonly from: number;
  readonly count: number;
  readonly function: number;
  /** Bytes of data that the answer must have. */
  readonly bytes: number;
  readonly tags: readonly DriverTag[];
  readonly text: string;
  readonly #bits: boolean;
  // By tag. Not the fields themselves: that would be five objects for each tag of a plant.
  readonly #forms: readonly Form[];
  readonly #columns: Uint16Array;
  /** Registers, or bits, before it in the answer. */
  readonly #places: Uint16Array;

  constructor(fields: readonly Field[], from: number, count: number) {
    const { tag, address } = fields[0]!;
    this.station = tag.station;
    this.area = address.area;
    this.from = from;
    this.count = count;
    this.function = readFunction(address.area);
    this.#bits = isBits(address.area);
    this.bytes = this.#bits ? Math.ceil(count / 8) : count * 2;
    this.tags = fields.map((field) => field.tag);
    this.text = count === 1 ? `${this.area} ${from}` : `${this.area} ${from}..${from + count - 1}`;
    this.#forms = alike(fields.map((field) => field.form));
    this.#columns = Uint16Array.from(fields, (field) => field.tag.column);
    this.#places = Uint16Array.from(fields, (field) => field.address.from - from);
  }

  /** The answer's data, `data[at…]`, straight into the cells of row `seq`. */
  decode(data: Uint8Array, at: number, ring: Ring, seq: number): void {
    const forms = this.#forms, columns = this.#columns, places = this.#places;
    const all = ring.columns;
    const bytes = this.#bits ? coils : data;
    const first = this.#bits ? 0 : at;
    const width = this.#bits ? 1 : 2;
    if (this.#bits) for (let i = 0; i < this.count; i++) coils[i] = bitAt(data, at, i);
    for (let i = 0; i < forms.length; i++) {
      decodeCell(forms[i]!, all[columns[i]!]!, bytes, first + places[i]! * width, ring, seq);
    }
  }

  /** The bytes of the only field: registers as they came, each bit as 0 or 1. */
  copyRaw(data: Uint8Array, at: number, raw: Uint8Array): void {
    if (this.#bits) for (let i = 0; i < raw.length; i++) raw[i] = bitAt(data, at, i);
    else for (let i = 0; i < raw.length; i++) raw[i] = data[at + i]!;
  }
}

/** One of those that are like each other. */
function alike(forms: readonly Form[]): Form[] {
  const kept: Form[] = [];
  return forms.map((form) => {
    const known = kept.find((other) => other.isLike(form));
    if (known === undefined) kept.push(form);
    return known ?? form;
  });
}

/** Coils are packed, the first in the lowest bit of the first byte (6.1). */
export function bitAt(data: Uint8Array, at: number, place: number): number {
  return (data[at + (place >> 3)]! >> (place & 7)) & 1;
}

/** Those of one answer, each in a byte, as cells take them. */
const coils = new Uint8Array(limits.modbus_bits_max);

/** Two reads in the place of one: half of its tags each. */
export function split(request: ModbusRequest): readonly [ModbusRequest, ModbusRequest] | null {
  const { tags } = request;
  if (tags.length < 2) return null;
  const middle = tags.length >> 1;
  return [spanning(tags.slice(0, middle)), spanning(tags.slice(middle))];
}

/** One read in the place of two, if nothing lies between them. */
export function join(first: ModbusRequest, second: ModbusRequest): ModbusRequest | null {
  return second.from > first.from + first.count ? null
    : spanning([...first.tags, ...second.tags]);
}

/** What a person is told of a read that the device takes in pieces alone. */
export function apart({ text, area }: ModbusRequest, pieces: readonly ModbusRequest[]): string {
  const most = Math.max(...pieces.map(({ count }) => count));
  const setting = isBits(area) ? Math.floor(most / bits_per_register) : most;
  const advice = setting < planLimits.registers_least ? ""
    : `; "maxRegisters": ${setting} spares it the search`;
  return `${text} is refused as one read and answered in ${pieces.length}, of at most ${most}: ` +
    "the device takes no more at once, and is asked so until it is connected anew" + advice;
}

function spanning(tags: readonly DriverTag[]): ModbusRequest {
  const fields = tags.map((tag) => new Field(tag));
  const from = Math.min(...fields.map(({ address }) => address.from));
  const end = Math.max(...fields.map(endOf));
  return new ModbusRequest(fields, from, end - from);
}

/** The read of one tag alone. */
export function single(field: Field): ModbusRequest {
  return new ModbusRequest([field], field.address.from, field.address.count);
}

const area_order: Readonly<Record<Area, number>> = { coil: 0, discrete: 1, input: 2, holding: 3 };

/**
 * Few reads for many tags: by station and area in address order, joined while the gap is small and
 * the read stays within bounds. A tag is never divided between two reads.
 */
export function planReads(tags: readonly DriverTag[], bounds: PlanLimits): ModbusRequest[] {
  const fields = tags.map((tag) => new Field(tag)).sort((a, b) =>
    a.tag.station - b.tag.station ||
    area_order[a.address.area] - area_order[b.address.area] ||
    a.address.from - b.address.from || a.address.count - b.address.count);
  return runsOf(fields, endOf, (first, end, next) => joins(first, end, next, bounds))
    .map((run) => {
      const { from } = run.fields[0]!.address;
      return new ModbusRequest(run.fields, from, run.end - from);
    });
}

const endOf = ({ address }: Field): number => address.from + address.count;

function joins(first: Field, end: number, next: Field, bounds: PlanLimits): boolean {
  const { area, from } = next.address;
  const most = isBits(area) ? bounds.bits_max : bounds.registers_max;
  const gap = isBits(area) ? bounds.gap_max * bits_per_register : bounds.gap_max;
  return first.tag.station === next.tag.station && first.address.area === area &&
    from - end <= gap && Math.max(end, endOf(next)) - first.address.from <= most;
}

export const planLimits = {
  /** What "maxRegisters" may be at least. */
  registers_least: 4,
  registers_max: limits.modbus_registers_max,
  bits_max: limits.modbus_bits_max,
} as const;

/** How long a device takes to begin its answer where nobody has measured it (ms). */
const turnaround_ms = 5;

/**
 * Registers that cost less than a request of their own: `request_ms` is what one takes without any
 * register, `register_ms` what each adds.
 */
export function cheapGap(request_ms: number, register_ms: number): number {
  return Math.min(planLimits.registers_max, Math.floor((request_ms + turnaround_ms) / register_ms));
}

/** Over IP a request costs a round trip, and a register the device's time for two bytes more. */
export const ip_gap = 50;
/** … unless there is a serial line of unknown speed behind it: that of 9600 baud. */
export const converter_gap = 10;
