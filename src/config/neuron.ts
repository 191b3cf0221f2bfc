import { nearest } from "../base.ts";
import { readRows, settingOf, type Cell } from "./csv.ts";
import { nameText } from "./fields.ts";
import { isNumeric } from "./scaling.ts";
import { tagSettings } from "./schema.ts";
import type { TagLine } from "./tag-table.ts";

/** Types of a Neuron table, by what they are called here; a length comes from the address. */
const types: Readonly<Record<string, string>> = {
  INT8: "int8", UINT8: "uint8", INT16: "int16", UINT16: "uint16", WORD: "uint16", INT32: "int32",
  UINT32: "uint32", DWORD: "uint32", TIME: "uint32", INT64: "int64", UINT64: "uint64",
  LWORD: "uint64", FLOAT: "float32", DOUBLE: "float64", BIT: "bool", BOOL: "bool",
  STRING: "text", BYTES: "bytes",
};
/** Bit of a numeric attribute that allows writing. */
const write_bit = 2;

export interface Translated {
  readonly lines: readonly TagLine[];
  /** What could not be taken over as it stood, by line of the table. */
  readonly notes: readonly string[];
}

/**
 * A table of tags as Neuron exports it (group, name, address, attribute, type, decimal, precision,
 * bias, unit), as tags of this configuration. Its `decimal` is a factor, its `precision` decimals.
 * The station in front of an address is left out: here it is the device's. Its names are unique in
 * their group, ours in their device.
 */
export function fromNeuron(text: string): Translated {
  const [header, ...rows] = readRows(text.replace(/^\uFEFF/, ""));
  const names = (header ?? []).map((cell) => cell.text.trim().toLowerCase());
  const notes: string[] = [];
  for (const needed of ["name", "address", "type"]) {
    if (names.includes(needed)) continue;
    notes.push(`line 1: there is no column "${needed}"; a Neuron table has group, name, address, ` +
      "attribute, type, description, decimal, precision");
  }
  if (notes.length > 0) return { lines: [], notes };
  const read = rows.map((row) => ({ line: row[0]!.line, cells: cellsOf(names, row) }));
  const taken = new Map(read.map(({ line, cells }) =>
    [named(cells["group"] ?? ""), `the group of line ${line} is called so`]));
  const stations = new Set<string>();
  const lines = read.flatMap(({ line, cells }) => {
    const note = (message: string): void => void notes.push(`line ${line}: ${message}`);
    const tag = tagLine(cells, taken, note);
    if (tag === null) return [];
    stations.add(/^(\d+)!/.exec(cells["address"]!)?.[1] ?? "");
    taken.set(tag.name, `line ${line} has one of this name`);
    return [tag];
  });
  stations.delete("");
  if (stations.size > 1) {
    notes.push(`the tags are of stations ${[...stations].join(", ")}: make a table for each, ` +
      "for a device has one station");
  } else if (stations.size === 1) {
    notes.push(`the device has "station": ${[...stations][0]}`);
  }
  return { lines, notes };
}

type Cells = Readonly<Record<string, string>>;
type Note = (message: string) => void;

const cellsOf = (names: readonly string[], row: readonly Cell[]): Cells =>
  Object.fromEntries(names.map((name, i) => [name, row[i]?.text.trim() ?? ""]));

const named = (name: string): string =>
  name.replace(/[^A-Za-z0-9_-]/g, "_").replace(/^(?=[^A-Za-z_])/, "_");

/** `taken`: names that a tag may not have any more, and why. */
function tagLine(
  cells: Cells, taken: ReadonlyMap<string, string>, note: Note,
): TagLine & { readonly name: string } | null {
  const { name = "", address = "", attribute = "" } = cells;
  const type = typeOf(cells, note);
  if (type === null) return null;
  if (address === "") {
    note(`${name} has no address`);
    return null;
  }
  const known = nameOf(cells, taken, note);
  if (known === null) return null;
  const writes = /write/i.test(attribute) || (Number(attribute) & write_bit) !== 0;
  if (writes) note(`${known}: may be written once "access" and the policy say so; it is read here`);
  const group = named(cells["group"] ?? "");
  if (group !== cells["group"]) note(`${known}: its group "${cells["group"]}" is called ${group}`);
  return {
    name: known, at: address.replace(/^\d+!/, ""), type, group,
    ...meaningOf(cells, type, (message) => note(`${known}: ${message}`)),
  };
}

function typeOf({ name = "", address = "", type = "" }: Cells, note: Note): string | null {
  const kind = types[type.toUpperCase()];
  if (kind === undefined) {
    const close = nearest(type.toUpperCase(), Object.keys(types));
    note(`${name}: no type ${type} here${close === null ? "" : `; did it mean ${close}?`}`);
    return null;
  }
  const length = /\.(\d+)[HLDE]?$/i.exec(address)?.[1];
  const slotted = kind === "text" || kind === "bytes";
  if (slotted && length === undefined) {
    note(`${name}: ${address} has no length, as in ${address}.16`);
    return null;
  }
  return slotted ? `${kind}(${length})` : kind;
}

/** The tag's name if it is free, else with its group's in front. */
function nameOf(
  { name = "", group = "" }: Cells, taken: ReadonlyMap<string, string>, note: Note,
): string | null {
  const plain = named(name);
  const why = taken.get(plain);
  const known = why === undefined ? plain : `${named(group)}_${plain}`;
  const expected = taken.get(known) ??
    (nameText.safeParse(known).success ? null : `expected ${nameText.meta()!.title}`);
  if (expected !== null) {
    note(`"${name}" is left out: ${expected}`);
    return null;
  }
  if (known !== name) note(`"${name}" is called ${known}${why === undefined ? "" : `: ${why}`}`);
  return known;
}

const { decimals, eu } = tagSettings.shape;
/** Our settings: Neuron's name, what stands for "none" there, and what ours may be. */
const meanings = {
  scale: ["decimal", ["0", "1"], "a number"],
  offset: ["bias", ["0"], "a number"],
  decimals: ["precision", ["0"], `a whole number up to ${decimals.unwrap().maxValue}`],
  eu: ["unit", [], `of at most ${eu.unwrap().maxLength} characters`],
} as const;

function meaningOf(cells: Cells, type: string, note: Note): TagLine {
  const meaning: TagLine = {};
  for (const setting of ["scale", "offset", "decimals", "eu"] as const) {
    const [column, none, expected] = meanings[setting];
    const text = cells[column] ?? "";
    meaning[setting] = "";
    if (text === "" || none.some((one) => Number(one) === Number(text))) continue;
    const left = `${column} "${text}" is left out`;
    if (setting !== "eu" && !isNumeric(type)) note(`${left}: it is for numbers, not for ${type}`);
    else if (!tagSettings.shape[setting].safeParse(settingOf(setting, text)).success) {
      note(`${left}: "${setting}" is ${expected}`);
    } else meaning[setting] = text;
  }
  return meaning;
}
