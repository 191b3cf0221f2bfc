import { readFile, stat } from "node:fs/promises";
import { Fault } from "../../base.ts";
import { cellOf, isMisfit } from "../../codec.ts";
import type { Answer, Lookup, TableShape } from "../../connector.ts";
import type { CellValue } from "../../ring.ts";
import { placesOf, readCsv, valueOf } from "./csv.ts";

/** A CSV file, by key or whole: read again when its time or size has changed. */
export class CsvTable implements Lookup {
  readonly #file: string;
  readonly #shape: TableShape;
  #rows = new Map<CellValue, Answer>();
  #all: readonly Answer[] = [];
  /** Time and size of the file that was read. */
  #read = "";
  /** Keys that stand in the file more than once. */
  #twice = new Set<CellValue>();

  constructor(file: string, shape: TableShape) {
    this.#file = file;
    this.#shape = shape;
  }

  async ask(keys: readonly CellValue[]): ReturnType<Lookup["ask"]> {
    await this.#refresh();
    return keys.map((key) => this.#twice.has(key)
      ? new Fault("table-key", `${this.#shape.key} ${String(key)} stands there more than once`)
      : this.#rows.get(key) ?? null);
  }

  async list(most: number): Promise<readonly Answer[]> {
    await this.#refresh();
    const n = this.#all.length;
    if (n <= most) return this.#all;
    throw new Fault("table-rows", `${n} rows, where the table has room for ${most}`);
  }

  close(): Promise<void> {
    this.#rows.clear();
    return Promise.resolve();
  }

  async #refresh(): Promise<void> {
    const { mtimeMs, size } = await stat(this.#file);
    const version = `${mtimeMs} ${size}`;
    if (version === this.#read) return;
    this.#load(await readFile(this.#file, "utf8"));
    this.#read = version;
  }

  #load(text: string): void {
    const { columns, key } = this.#shape;
    const { header, records } = readCsv(text);
    const places = placesOf(header, columns.map((c) => c.name));
    const all = records.map((record) =>
      places.map((place, i) => valueOf(record[place], columns[i]!.kind)));
    if (key === null) this.#all = all;
    else this.#index(all, columns.findIndex((c) => c.name === key));
  }

  #index(all: readonly Answer[], at: number): void {
    const { columns } = this.#shape;
    const rows = new Map<CellValue, Answer>();
    this.#twice.clear();
    for (const row of all) {
      const cell = cellOf(row[at], columns[at]!);
      // A key that is none of its kind is one that nobody asks for.
      if (cell === null || isMisfit(cell)) continue;
      if (rows.has(cell)) this.#twice.add(cell);
      rows.set(cell, row);
    }
    this.#rows = rows;
  }
}
