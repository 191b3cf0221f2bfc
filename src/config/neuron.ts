import { nearest } from "../base.ts";
import { readRows } from "./csv.ts";
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
 * The station in front of an address is left out: here it is the device's.
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
  const stations = new Set<string>();
  const lines = rows.flatMap((row) => {
    const cells = Object.fromEntries(names.map((name, i) => [name, row[i]?.text.trim() ?? ""]));
    const note = (message: string): void => void notes.push(`line ${row[0]!.line}: ${message}`);
    const line = tagLine(cells, note);
    if (line !== null) stations.add(/^(\d+)!/.exec(cells["address"]!)?.[1] ?? "");
    return line === null ? [] : [line];
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

function tagLine(cells: Cells, note: (message: string) => void): TagLine | null {
  const { name = "", address = "", type = "", attribute = "", group = "", unit = "" } = cells;
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
  const known = name.replace(/[^A-Za-z0-9_-]/g, "_").replace(/^(?=[^A-Za-z_])/, "_");
  if (known !== name) note(`"${name}" is called ${known}`);
  const writes = /write/i.test(attribute) || (Number(attribute) & write_bit) !== 0;
  if (writes) note(`${known}: may be written once "access" and the policy say so; it is read here`);
  const factor = setting(cells["decimal"], 0);
  return {
    name: known, at: address.replace(/^\d+!/, ""), type: slotted ? `${kind}(${length})` : kind,
    group, scale: factor === "1" ? "" : factor, offset: setting(cells["bias"], 0),
    decimals: setting(cells["precision"], 0), eu: unit,
  };
}

/** A number other than what stands for "none". */
const setting = (text: string | undefined, none: number): string =>
  text === undefined || text === "" || Number(text) === none ? "" : text;
