import { Fault } from "../../base.ts";
import { arrayOf, isTextType, slotOf, type TagType } from "../../ring.ts";
import { bytesOf } from "../wire/value.ts";
import { timeBytes, type TimeForm } from "./time.ts";

/** Data block, flags, inputs, outputs. */
export type Area = "DB" | "M" | "I" | "Q";

/** Where a tag lies. */
export interface Address {
  readonly area: Area;
  /** Number of the data block; 0 in the other areas. */
  readonly db: number;
  readonly from: number;
  readonly bytes: number;
  /** 0 to 7; −1 = whole bytes. */
  readonly bit: number;
  /** A text with its two bytes of lengths in front (STRING), or bare characters. */
  readonly isString: boolean;
  /** How a moment stands there; null = it is none. */
  readonly time: TimeForm | null;
}

/** By the letter that is used in the field: E and A in German programs, F and O in Neuron's. */
const areas: Readonly<Record<string, Area>> = {
  M: "M", F: "M", I: "I", E: "I", Q: "Q", A: "Q", O: "Q", V: "DB",
};
/** The V memory of an S7-200 and a LOGO! is data block 1 from outside. */
const variables_db = 1;

/** `DB1.DBX0.3`, `DB1.DBD4`, `DB1.DBC10`, `DB1.DBW10.20`. */
const inBlock = /^DB(\d+)[.,]\s?DB([XBWDSC])(\d+)(?:\.(\d+))?$/i;
/** `DB1.DTL20`, `DB1.DT8`, `DB1.LDT0`: the types of a moment. */
const inTime = /^DB(\d+)[.,]\s?(DT|DTL|LDT)(\d+)$/i;
/** `MW10`, `I0.0`, `QB4`, `F4`. */
const inArea = /^([MFIEQAOV])([XBWDSC]?)(\d+)(?:\.(\d+))?$/i;

/** Bytes that the letter of an address stands for. */
const widths: Readonly<Record<string, number>> = { B: 1, W: 2, D: 4 };
const letters: Readonly<Record<number, string>> = { 1: "B", 2: "W", 4: "D", 8: "D" };
/** A block ends at 64 KB; places are counted in 16 bits. */
const place_max = 65535;

const wrong = (at: string, sentence: string): Fault =>
  new Fault("s7-address", `\`${at}\`: ${sentence}`, { at });

/** The whole place of a tag: that of an array has all of its items, side by side. */
export function parseAddress(at: string, type: TagType): Address {
  const array = arrayOf(type);
  if (array === null) return parseOne(at, type);
  const first = parseOne(at, array.item);
  const bytes = itemPlace(first, array.count - 1).from + first.bytes - first.from;
  checkEnd(at, first.from, bytes);
  return { ...first, bytes };
}

/** Where item `index` of an array lies whose first one is at `first`. */
export function itemPlace(first: Address, index: number): Address {
  const { from, bytes, bit } = first;
  if (bit < 0) return { ...first, from: from + index * bytes };
  return { ...first, from: from + ((bit + index) >> 3), bit: (bit + index) & 7 };
}

/** Reads an address as the configuration spells it; a Fault says what would be right. */
export function parseOne(at: string, type: TagType): Address {
  const text = at.trim();
  const block = inBlock.exec(text);
  if (block !== null) {
    const [, db, letter, from, suffix] = block;
    checkBlock(at, Number(db));
    return fit(at, type, "DB", Number(db), letter!.toUpperCase(), Number(from), suffix);
  }
  const moment = inTime.exec(text);
  if (moment !== null) {
    const [, db, form, from] = moment;
    return momentAt(at, type, Number(db), form!.toUpperCase() as TimeForm, Number(from));
  }
  const other = inArea.exec(text);
  if (other === null) {
    const near = /^[TCZ]\d+$/i.test(text) ? "timers and counters are not read; let the program " +
      "copy them into a data block" : "no S7 address; write `DB1.DBD4`, `DB1.DBX0.3`, `MW10`, " +
      "`I0.0` or `QB4`";
    throw wrong(at, near);
  }
  const [, area, letter, from, suffix] = other;
  const found = areas[area!.toUpperCase()]!;
  return fit(at, type, found, found === "DB" ? variables_db : 0, letter!.toUpperCase(),
    Number(from), suffix);
}

function checkBlock(at: string, db: number): void {
  if (db < 1 || db > place_max) throw wrong(at, `data blocks are DB1 to DB${place_max}`);
}

function checkEnd(at: string, from: number, bytes: number): void {
  if (from + bytes - 1 <= place_max) return;
  throw wrong(at, `ends at byte ${from + bytes - 1}; an area ends at ${place_max}`);
}

function momentAt(at: string, type: TagType, db: number, time: TimeForm, from: number): Address {
  checkBlock(at, db);
  if (type !== "time") throw wrong(at, `${time} is a moment: the type must be time, not ${type}`);
  const bytes = timeBytes(time);
  checkEnd(at, from, bytes);
  return { area: "DB", db, from, bytes, bit: -1, isString: false, time };
}

function fit(
  at: string, type: TagType, area: Area, db: number, letter: string, from: number,
  suffix: string | undefined,
): Address {
  const slot = slotOf(type);
  const isString = isTextType(type) && letter !== "C";
  const bytes = slot > 0 ? slot + (isString ? 2 : 0) : bytesOf(type);
  if (type === "time") {
    throw wrong(at, "a moment is spelled by its type in the program: `DB1.DTL20`, `DB1.DT20` " +
      "(DATE_AND_TIME) or `DB1.LDT20`; a TIME is an int32 (ms)");
  }
  if (bytes === 0) throw wrong(at, `S7 has no ${type} here`);
  checkEnd(at, from, bytes);
  const bit = slot > 0 ? lengthOf(at, type, slot, suffix) : bitOf(at, type, letter, suffix);
  if (slot === 0) checkWidth(at, type, letter, bytes);
  else if (letter === "X" || letter === "D") {
    throw wrong(at, `a ${type} is spelled DBB (or DBS, DBC for bare characters)`);
  }
  return { area, db, from, bytes, bit, isString, time: null };
}

/** `DBW10.20`: Neuron's length of a text, which must be the type's; −1 = no bit. */
function lengthOf(at: string, type: TagType, slot: number, suffix: string | undefined): number {
  if (suffix !== undefined && Number(suffix) !== slot) {
    throw wrong(at, `the length .${suffix} and the type ${type} must agree`);
  }
  return -1;
}

function bitOf(at: string, type: TagType, letter: string, suffix: string | undefined): number {
  if (type !== "bool") {
    if (suffix !== undefined) throw wrong(at, `.${suffix} picks a bit: the type must be bool`);
    return -1;
  }
  if (letter !== "" && letter !== "X") {
    throw wrong(at, "a bool is a bit: write DBX in a data block, as in `DB1.DBX0.3`, and no " +
      "letter elsewhere, as in `M0.3`");
  }
  if (suffix === undefined || Number(suffix) > 7) {
    throw wrong(at, "a bool needs its bit, `.0` to `.7`, as in `DB1.DBX0.3` or `I0.0`");
  }
  return Number(suffix);
}

/** The letter says a width, the type another: one of them is a mistake. `W` is Neuron's for all. */
function checkWidth(at: string, type: TagType, letter: string, bytes: number): void {
  if (letter === "" || letter === "X" && type === "bool") return;
  if (letter in widths) {
    const known = widths[letter]!;
    if (known === bytes || letter === "W" || letter === "D" && bytes === 8) return;
    throw wrong(at, `${letter} stands for ${known} byte${known === 1 ? "" : "s"}, and ${type} ` +
      `has ${bytes}: write ${letters[bytes]} or another type`);
  }
  throw wrong(at, letter === "X" ? `X is a bit: the type must be bool, not ${type}`
    : `${letter} is a text: the type must be text(n), not ${type}`);
}
