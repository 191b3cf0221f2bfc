import { Fault, nearest as nearestOf } from "../base.ts";

/** Where a piece of the query stands: offsets into its text. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** A query that cannot be: what is wrong, where, and what was probably meant. */
export class SqlFault extends Fault {
  /** 1-based. */
  readonly line: number;
  readonly column: number;
  /** The line of the query, and below it a mark under the place. */
  readonly caret: string;
  /** The known name that was probably meant. */
  readonly nearest: string | null;

  constructor(code: string, sentence: string, whole: string, at: Span, known: Iterable<string> = [],
    name?: string) {
    const { name: section, text: sql, from } = sectionAt(whole, at.from);
    const span = { from: at.from - from, to: at.to - from };
    const place = locate(sql, span.from);
    const where = section === null ? "" : `in the function ${section}, `;
    super(code, `${where}${place.line}:${place.column}: ${sentence}`, place);
    this.line = place.line;
    this.column = place.column;
    const start = span.from - (place.column - 1);
    const end = sql.indexOf("\n", start);
    const text = sql.slice(start, end < 0 ? sql.length : end).replaceAll("\t", " ");
    const width = Math.max(1, Math.min(span.to, start + text.length) - span.from);
    this.caret = marked(text, place.column - 1, width);
    this.nearest = name === undefined ? null : nearestOf(name, known);
  }
}

const shown_characters_max = 90;

/** A line and a mark below it; of a long one the part around the mark, `…` for what is left out. */
function marked(line: string, at: number, width: number): string {
  const last = Math.max(0, line.length - shown_characters_max);
  const from = Math.max(0, Math.min(at - shown_characters_max / 3, last));
  const to = Math.min(line.length, from + shown_characters_max);
  const part = `${from > 0 ? "…" : ""}${line.slice(from, to)}${to < line.length ? "…" : ""}`;
  const blank = at - from + (from > 0 ? 1 : 0);
  return `${part}\n${" ".repeat(blank)}${"^".repeat(Math.max(1, Math.min(width, to - at)))}`;
}

/** No query has it: `refuseSeparator`. */
const separator = "\0";

/** A query with such a character would be taken for several texts. */
export function refuseSeparator(sql: string): void {
  const at = sql.indexOf(separator);
  if (at >= 0) {
    throw new SqlFault("syntax", "A query has no character with the code 0", sql,
      { from: at, to: at + 1 });
  }
}

/**
 * A query and the functions that it calls, as one text, so that a span says which of them it means:
 * the query, then a name and a text for each function.
 */
export function addSection(sql: string, name: string, text: string): { sql: string; from: number } {
  const before = `${sql}${separator}${name}${separator}`;
  return { sql: before + text, from: before.length };
}

interface Section {
  /** null = the query itself. */
  readonly name: string | null;
  readonly text: string;
  readonly from: number;
}

export function sectionsOf(sql: string): Section[] {
  const [query, ...rest] = sql.split(separator);
  const sections: Section[] = [{ name: null, text: query!, from: 0 }];
  let from = query!.length + 1;
  for (let i = 0; i + 1 < rest.length; i += 2) {
    const [name, text] = [rest[i]!, rest[i + 1]!];
    sections.push({ name, text, from: from + name.length + 1 });
    from += name.length + text.length + 2;
  }
  return sections;
}

const sectionAt = (sql: string, at: number): Section =>
  sectionsOf(sql).findLast(({ from }) => from <= at)!;

function locate(sql: string, at: number): { line: number; column: number } {
  const before = sql.slice(0, at).split("\n");
  return { line: before.length, column: before.at(-1)!.length + 1 };
}

/** Right SQL that a later version will run. */
export function notInThisVersion(sql: string, span: Span, what: string): SqlFault {
  return new SqlFault("not-in-this-version", `${what}: not in this version`, sql, span);
}
