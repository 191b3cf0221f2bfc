import { readFile, stat } from "node:fs/promises";
import { Fault } from "../../base.ts";
import { cellOf, isMisfit } from "../../codec.ts";
import type { Answer, Lookup, TableShape } from "../../connector.ts";
import type { CellValue } from "../../ring.ts";
import { placesOf, readCsv, valueOf } from "./csv.ts";

/** A CSV file by key: read as a whole, and again when its time or size has changed. */
export class CsvTable implements Lookup {
  readonly #file: string;
  readonly #shape: TableShape;
  #rows = new Map<CellValue, Answer>();
  /** Time and size of the file that was read. */
  #read = "";
  /** Keys that stand in the file more than once. */
  #twice = new Set<CellValue>();

  constructor(file: string, shape: TableShape) {
    this.#file = file;
    this.#shape = shape;
  }

  async ask(keys: readonly CellValue[]): ReturnType<Lookup["ask"]> {
    const { mtimeMs, size } = await stat(this.#file);
    const version = `${mtimeMs} ${size}`;
    if (version !== this.#read) {
      this.#load(await readFile(this.#file, "utf8"));
      this.#read = version;
    }
    return keys.map((key) => this.#twice.has(key)
      ? new Fault("table-key", `${this.#shape.key} ${String(key)} stands there more than once`)
      : this.#rows.get(key) ?? null);
  }

  close(): Promise<void> {
    this.#rows.clear();
    return Promise.resolve();
  }

  #load(text: string): void {
    const { columns, key } = this.#shape;
    const { header, records } = readCsv(text);
    const places = placesOf(header, columns.map((c) => c.name));
    const at = columns.findIndex((c) => c.name === key);
    const rows = new Map<CellValue, Answer>();
    this.#twice.clear();
    for (const record of records) {
      const row = places.map((place, i) => valueOf(record[place], columns[i]!.kind));
      const cell = cellOf(row[at], columns[at]!);
      // A key that is none of its kind is one that nobody asks for.
      if (cell === null || isMisfit(cell)) continue;
      if (rows.has(cell)) this.#twice.add(cell);
      rows.set(cell, row);
    }
    this.#rows = rows;
  }
}
