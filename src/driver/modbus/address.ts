import { Fault } from "../../base.ts";
import { arrayOf, slotOf, type TagType } from "../../ring.ts";

/** The four tables of Modbus (application protocol 1.1b3, 4.3), by the name used here. */
export type Area = "coil" | "discrete" | "input" | "holding";

/** Where a tag lies. `from` is 0-based, as on the wire; `count` is in registers, or in bits. */
export interface Address {
  readonly area: Area;
  readonly from: number;
  readonly count: number;
  /** The bit of a register, 0 = lowest; −1 = none. */
  readonly bit: number;
  /** Byte order spelled in the address, which overrides the device's; empty = none. */
  readonly order: string;
}

/** Areas by the first digit of a 1-based address. */
const digits: Readonly<Record<string, Area>> = {
  0: "coil", 1: "discrete", 3: "input", 4: "holding",
};

const plain = /^(coil|discrete|input|holding) +(\d+)(?:\.(\d+))?$/;
/** `400010`, `1!400010#BB`, `1!300001.10H`, `40010.3`. */
const numbered = /^(?:(\d+)!)?([0134])(\d{4,6})(?:\.(\d+)([HLDE]?))?(?:#([A-Z]{1,2}))?$/;

/** `#` suffixes by the number of registers they fit. */
const orders: Readonly<Record<number, readonly string[]>> = {
  1: ["B", "L"], 2: ["LL", "LB", "BL", "BB"], 4: ["L", "LL", "B", "BB", "LB", "BL", "WS", "WR"],
};

export const isBits = (area: Area): boolean => area === "coil" || area === "discrete";

/** Registers that a value of this type fills. */
export function registersOf(type: TagType): number {
  switch (type) {
    case "int32": case "uint32": case "float32": case "time": return 2;
    case "int64": case "uint64": case "float64": return 4;
    default: return Math.max(1, Math.ceil(slotOf(type) / 2));
  }
}

const wrong = (at: string, sentence: string): Fault =>
  new Fault("modbus-address", `\`${at}\`: ${sentence}`, { at });

/** The whole place of a tag: that of an array has all of its items, side by side. */
export function parseAddress(at: string, type: TagType, station: number): Address {
  const array = arrayOf(type);
  if (array === null) return parseOne(at, type, station);
  const first = parseOne(at, array.item, station);
  const count = itemPlace(first, array.count - 1).from + first.count - first.from;
  const last = first.from + count - 1;
  if (last > last_place) throw wrong(at, `the ${array.count} items end at ${last}; ${tableEnd}`);
  return { ...first, count };
}

/** Where item `index` of an array lies whose first one is at `first`. */
export function itemPlace(first: Address, index: number): Address {
  const { from, count, bit } = first;
  if (bit < 0) return { ...first, from: from + index * count };
  return { ...first, from: from + ((bit + index) >> 4), bit: (bit + index) & 15 };
}

const last_place = 65535;
const tableEnd = `a Modbus table ends at ${last_place} (0-based)`;

/** Reads an address as the configuration spells it; a Fault says what would be right. */
export function parseOne(at: string, type: TagType, station: number): Address {
  const text = at.trim();
  const named = plain.exec(text);
  if (named !== null) {
    const [, area, number, bit] = named;
    return fit(at, type, area as Area, Number(number), bit, "", "");
  }
  const found = numbered.exec(text);
  if (found === null) {
    throw wrong(at, "no Modbus address; write `holding 9` (coil, discrete, input, holding; " +
      "0-based as on the wire) or the 1-based `400010`");
  }
  const [, of, digit, number, suffix, kind, order] = found;
  if (of !== undefined && Number(of) !== station) {
    throw wrong(at, `names station ${of}, but the device is station ${station}; ` +
      "leave out the station or move the tag to a device of that station");
  }
  if (Number(number) === 0) {
    throw wrong(at, `numbers begin at 1 here: the first is \`${digit}${"1".padStart(5, "0")}\``);
  }
  return fit(at, type, digits[digit!]!, Number(number) - 1, suffix, kind ?? "", order ?? "");
}

function fit(
  at: string, type: TagType, area: Area, from: number,
  suffix: string | undefined, kind: string, order: string,
): Address {
  const slot = slotOf(type);
  const count = isBits(area) ? 1 : registersOf(type);
  const last = from + count - 1;
  if (last > last_place) throw wrong(at, `ends at ${last}; ${tableEnd}`);
  if (isBits(area) && type !== "bool") {
    throw wrong(at, `a ${area} is one bit: the type must be bool, not ${type}`);
  }
  const bit = bitOf(at, type, area, slot, suffix, kind);
  if (order === "") return { area, from, count, bit, order: kind === "L" ? "B" : "" };
  if (type === "bool" || slot > 0) throw wrong(at, `#${order} has no meaning for ${type}`);
  if (!orders[count]!.includes(order)) {
    throw wrong(at, `#${order} does not fit ${type}; known here are ` +
      orders[count]!.map((o) => `#${o}`).join(", "));
  }
  return { area, from, count, bit, order };
}

/** The number after the dot: a bit for a bool, the length again for a text; −1 = no bit. */
function bitOf(
  at: string, type: TagType, area: Area, slot: number, suffix: string | undefined, kind: string,
): number {
  if (slot > 0) {
    if (kind === "D" || kind === "E") {
      throw wrong(at, `.${suffix}${kind} (one character a register) is not supported; ` +
        "use bytes(n)");
    }
    if (suffix !== undefined && Number(suffix) !== slot) {
      throw wrong(at, `the length .${suffix} and the type ${type} must agree`);
    }
    return -1;
  }
  if (kind !== "") throw wrong(at, `.${suffix}${kind} is for text(n) and bytes(n), not ${type}`);
  if (isBits(area)) {
    if (suffix !== undefined) throw wrong(at, `a ${area} is one bit already; leave out .${suffix}`);
    return -1;
  }
  if (type !== "bool") {
    if (suffix !== undefined) throw wrong(at, `.${suffix} picks a bit: the type must be bool`);
    return -1;
  }
  if (suffix === undefined || Number(suffix) > 15) {
    throw wrong(at, "a bool in a register needs its bit, `.0` (lowest) to `.15`");
  }
  return Number(suffix);
}
