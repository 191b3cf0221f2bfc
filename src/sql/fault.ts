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

  constructor(code: string, sentence: string, sql: string, span: Span, known: Iterable<string> = [],
    name?: string) {
    const place = locate(sql, span.from);
    super(code, `${place.line}:${place.column}: ${sentence}`, place);
    this.line = place.line;
    this.column = place.column;
    const start = span.from - (place.column - 1);
    const end = sql.indexOf("\n", start);
    const text = sql.slice(start, end < 0 ? sql.length : end).replaceAll("\t", " ");
    const width = Math.max(1, Math.min(span.to, start + text.length) - span.from);
    this.caret = `${text}\n${" ".repeat(place.column - 1)}${"^".repeat(width)}`;
    this.nearest = name === undefined ? null : nearestOf(name, known);
  }
}

function locate(sql: string, at: number): { line: number; column: number } {
  const before = sql.slice(0, at).split("\n");
  return { line: before.length, column: before.at(-1)!.length + 1 };
}

/** Right SQL that a later version will run. */
export function notInThisVersion(sql: string, span: Span, what: string): SqlFault {
  return new SqlFault("not-in-this-version", `${what}: not in this version`, sql, span);
}
