import { Fault } from "../../base.ts";

/**
 * A CSV text (RFC 4180): a header and records, each a list of texts. The separator is `;` or a
 * tabulator if the header has one, else `,`; a field may stand in quotes, where `""` is a quote.
 * Empty lines are left out.
 */
export function readCsv(text: string): { header: string[]; records: string[][] } {
  const body = text.replace(/^\uFEFF/, "");
  const first = /^[^\r\n]*/.exec(body)![0];
  const separator = [";", "\t"].find((mark) => first.includes(mark)) ?? ",";
  const records: string[][] = [];
  let record: string[] = [];
  let at = 0;
  while (at < body.length) {
    const field = body[at] === '"' ? quoted(body, at) : plain(body, at, separator);
    record.push(field.text);
    at = field.end;
    if (body[at] === separator) {
      at++;
      // A separator at the very end has an empty field behind it.
      if (at < body.length) continue;
      record.push("");
    }
    if (record.length > 1 || record[0] !== "") records.push(record);
    record = [];
    at += body.startsWith("\r\n", at) ? 2 : 1;
  }
  const header = (records.shift() ?? []).map((name) => name.trim());
  return { header, records };
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
