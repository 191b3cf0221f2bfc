import { Fault } from "../../base.ts";
import { cellOf } from "../../codec.ts";
import type { ColumnKind, ColumnSpec } from "../../ring.ts";

/**
 * A CSV text (RFC 4180): a header and records, each a list of texts. The separator is `;` or a
 * tabulator if the header has one, else `,`; a field may stand in quotes, where `""` is a quote.
 * Empty lines are left out.
 */
export function readCsv(text: string): { header: string[]; records: string[][] } {
  const body = text.replace(/^\uFEFF/, "");
  const separator = separatorOf(/^[^\r\n]*/.exec(body)![0]);
  const records: string[][] = [];
  for (let at = 0; at < body.length;) {
    const { fields, end } = readRecord(body, at, separator);
    if (fields.length > 1 || fields[0] !== "") records.push(fields);
    at = end;
  }
  const header = (records.shift() ?? []).map((name) => name.trim());
  return { header, records };
}

export const separatorOf = (header: string): string =>
  [";", "\t"].find((mark) => header.includes(mark)) ?? ",";

/** The record that begins at `at`; the next one begins at `end`. */
export function readRecord(
  body: string, at: number, separator: string,
): { fields: string[]; end: number } {
  const fields: string[] = [];
  for (let from = at;;) {
    const field = body[from] === '"' ? quoted(body, from) : plain(body, from, separator);
    fields.push(field.text);
    if (body[field.end] !== separator) {
      return { fields, end: field.end + (body.startsWith("\r\n", field.end) ? 2 : 1) };
    }
    from = field.end + 1;
  }
}

interface FieldEnd {
  readonly text: string;
  /** Of the separator or line end behind it. */
  readonly end: number;
}

function plain(body: string, from: number, separator: string): FieldEnd {
  let end = from;
  while (end < body.length && body[end] !== separator && body[end] !== "\n" && body[end] !== "\r") {
    end++;
  }
  return { text: body.slice(from, end), end };
}

function quoted(body: string, from: number): FieldEnd {
  let text = "";
  for (let at = from + 1;;) {
    const end = body.indexOf('"', at);
    if (end < 0) throw new Fault("csv-malformed", "A quote is not closed");
    text += body.slice(at, end);
    if (body[end + 1] !== '"') return { text, end: end + 1 };
    text += '"';
    at = end + 2;
  }
}

/** Where each wanted column stands in the records; a missing one is a fault. */
export function placesOf(header: readonly string[], columns: readonly string[]): number[] {
  return columns.map((name) => {
    const at = header.indexOf(name);
    if (at >= 0) return at;
    throw new Fault("csv-column", `The file has no column ${name}; it has ${header.join(", ")}`);
  });
}

/** What a field says for a column: an empty one is NULL, of a text an empty text. */
export const valueOf = (field: string | undefined, kind: ColumnKind): string | null =>
  (field === undefined || (field === "" && kind !== "text") ? null : field);

/**
 * A record as the JSON object that the same row would be in a message. A field that is not of its
 * column's type stands there as the text that it is, which the decoder makes an error cell of.
 */
export function jsonOfRecord(
  fields: readonly string[], header: readonly string[], columns: ReadonlyMap<string, ColumnSpec>,
): string {
  if (fields.length > header.length) {
    throw new Fault("csv-fields",
      `${fields.length} fields, where the header has ${header.length}: ${header.join(", ")}`);
  }
  const members = header.flatMap((name, i) => {
    const spec = columns.get(name);
    // What stands in for a missing value does so for an empty field.
    if ((fields[i] ?? "") === "" && spec?.fallback !== undefined) return [];
    return [`${JSON.stringify(name)}:${literal(fields[i], spec)}`];
  });
  return `{${members.join(",")}}`;
}

function literal(field: string | undefined, spec: ColumnSpec | undefined): string {
  const value = valueOf(field, spec?.kind ?? "dyn");
  if (value === null || spec === undefined) return JSON.stringify(value);
  if (spec.kind === "json" || spec.shape !== undefined) {
    return isJson(value) ? value : JSON.stringify(value);
  }
  // A number is ms since 1970; how else a time is written the decoder knows.
  if (spec.kind === "time") {
    return /^-?\d+(\.\d+)?$/.test(value) ? String(Number(value)) : JSON.stringify(value);
  }
  const cell = cellOf(value, { ...spec, slot: 0 });
  return typeof cell === "number" || typeof cell === "bigint" || typeof cell === "boolean"
    ? String(cell) : JSON.stringify(value);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return false;
    throw thrown;
  }
}
