import { tagSettings } from "./schema.ts";
import type { Findings, Path, Place, Spot } from "./problem.ts";
import { nearest } from "../base.ts";

export interface Cell {
  readonly text: string;
  readonly line: number;
  readonly column: number;
}

/**
 * A CSV file of tags: the header has the tag settings' names (and `name`), each line is a tag, an
 * empty cell means the default. The separator is `;` if the header has one, else `,`.
 */
export class TagTable implements Place {
  readonly file: string;
  /** As the tags of a type stand in JSON. */
  readonly value: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly #base: Path;
  readonly #cells = new Map<string, Cell>();

  constructor(text: string, file: string, base: Path, findings: Findings) {
    this.file = file;
    this.#base = base;
    const tags: Record<string, Record<string, unknown>> = {};
    const [header, ...rows] = readRows(text.replace(/^\uFEFF/, ""));
    const names = (header ?? []).map((cell) => cell.text.trim());
    if (this.#checkHeader(names, header ?? [], findings)) {
      for (const row of rows) this.#readTag(names, row, tags, findings);
    }
    this.value = tags;
  }

  spot(path: Path): Spot {
    const cell = this.#cells.get(path.join("\n")) ?? this.#cells.get(String(path[0])) ?? null;
    return {
      path: [...this.#base, ...path].join("."),
      line: cell?.line ?? null, column: cell?.column ?? null,
      value: cell && this.#cells.has(path.join("\n")) ? JSON.stringify(cell.text) : null,
    };
  }

  #checkHeader(names: readonly string[], header: readonly Cell[], findings: Findings): boolean {
    const known = ["name", ...Object.keys(tagSettings.shape)];
    let good = true;
    const wrong = (index: number, message: string, meant: string | null): void => {
      const cell = header[index];
      good = false;
      findings.add({
        file: this.file, path: this.#base.join("."), line: cell?.line ?? 1,
        column: cell?.column ?? 1, message, nearest: meant,
        value: cell ? JSON.stringify(cell.text) : null,
      });
    };
    names.forEach((name, index) => {
      if (!known.includes(name)) {
        wrong(index, `unknown column; known are ${known.join(", ")}`, nearest(name, known));
      } else if (names.indexOf(name) < index) wrong(index, "this column stands twice", null);
    });
    if (!names.includes("name")) wrong(0, 'the header has no column "name"', null);
    return good;
  }

  #readTag(
    names: readonly string[], row: readonly Cell[],
    tags: Record<string, Record<string, unknown>>, findings: Findings,
  ): void {
    const nameCell = row[names.indexOf("name")] ?? row[0]!;
    const name = nameCell.text.trim();
    const wrong = (message: string, cell: Cell): void => findings.add({
      file: this.file, path: [...this.#base, name].join("."), line: cell.line, column: cell.column,
      message, value: JSON.stringify(cell.text), nearest: null,
    });
    if (row.length !== names.length) {
      return wrong(`this line has ${row.length} cells, the header ${names.length}`, nameCell);
    }
    if (name in tags) return wrong("this tag stands twice in the file", nameCell);
    const tag: Record<string, unknown> = {};
    row.forEach((cell, index) => {
      const setting = names[index]!;
      const content = cell.text.trim();
      if (setting === "name" || content === "") return;
      this.#cells.set(`${name}\n${setting}`, cell);
      tag[setting] = settingOf(setting, content);
    });
    this.#cells.set(name, nameCell);
    tags[name] = tag;
  }
}

/** Numbers, ranges as `4000..20000`, and constants as they look. */
export function settingOf(setting: string, text: string): unknown {
  switch (setting) {
    case "scale": case "offset": case "decimals": return numberOf(text);
    case "rawRange": case "euRange": return text.split("..").map((end) => numberOf(end.trim()));
    case "static": return text === "true" || text === "false" ? text === "true" : numberOf(text);
    default: return text;
  }
}

/** Text that is no number stays text, and the schema says what is expected there. */
function numberOf(text: string): number | string {
  return /^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text) ? Number(text) : text;
}

/** RFC 4180 with either separator; a line that is empty is no row. */
export function readRows(text: string): Cell[][] {
  const separator = text.split("\n", 1)[0]!.includes(";") ? ";" : ",";
  const rows: Cell[][] = [];
  let row: Cell[] = [];
  let line = 1, lineStart = 0, at = 0;
  while (at < text.length) {
    const start = at, startLine = line, column = at - lineStart + 1;
    let content = "";
    if (text[at] === '"') {
      at++;
      while (at < text.length && (text[at] !== '"' || text[at + 1] === '"')) {
        if (text[at] === '"') at++;
        if (text[at] === "\n") [line, lineStart] = [line + 1, at + 1];
        content += text[at++];
      }
      at++;
    }
    const plain = at;
    while (at < text.length && text[at] !== separator && text[at] !== "\n") at++;
    content += text.slice(plain, at).replace(/\r$/, "");
    row.push({ text: content, line: startLine, column });
    const ended = at >= text.length || text[at] === "\n";
    if (ended) {
      if (row.length > 1 || row[0]!.text.trim() !== "") rows.push(row);
      row = [];
      [line, lineStart] = [line + 1, at + 1];
    } else if (at === text.length - 1) row.push({ text: "", line, column: column + at - start });
    at++;
  }
  if (row.length > 0) rows.push(row);
  return rows;
}
