/**
 * What a reader outside makes of rows that come at least once: by their identity it counts each
 * row once, and then every number must be there and every sum must be right.
 */
export interface Told {
  readonly identity: { readonly stream: string; readonly epoch: number; readonly number: number };
  readonly [column: string]: unknown;
}

export class Oracle {
  /** Rows by stream, then by identity. */
  readonly #rows = new Map<string, Map<string, Told>>();
  readonly wrong: string[] = [];
  /** Rows that came more than once. */
  again = 0;

  take(topic: string, text: string): void {
    const row = JSON.parse(text) as Told;
    const { stream, epoch, number } = row.identity;
    const rows = this.#rows.get(stream) ?? new Map<string, Told>();
    this.#rows.set(stream, rows);
    const key = `${epoch}/${number}`;
    const before = rows.get(key);
    rows.set(key, row);
    if (before === undefined) return;
    this.again += 1;
    const [a, b] = [JSON.stringify(before), JSON.stringify(row)];
    if (a !== b) this.#note(`${topic}: one identity for ${a} and ${b}`);
  }

  count(stream: string): number {
    return this.#rows.get(stream)?.size ?? 0;
  }

  /** Sum of a column over the rows of a stream, each counted once. */
  sum(stream: string, column: string): number {
    return this.#of(stream).reduce((sum, row) => sum + Number(row[column]), 0);
  }

  /** Each of the numbers 1 to n came from a source, once, in order, and the state says so. */
  judge(source: string, n: number): void {
    const all = n * (n + 1) / 2;
    this.#each(`${source}-steps`, n, (row, i) =>
      row["n"] === i && row["before"] === (i === 1 ? null : i - 1));
    this.#each(`${source}-tally`, n, (row, i) =>
      row["seen"] === i && row["total"] === i * (i + 1) / 2);
    this.#each(`${source}-sevens`, Math.floor(n / 7), (row, i) => row["low"] === 7 * i - 6 &&
      row["high"] === 7 * i && row["seen"] === 7 && row["total"] === 7 * (7 * i - 3));
    this.#each(`${source}-chained`, Math.floor(n / 7), (row, i) => row["total"] === 7 * i);
    const spans = `${source}-spans`;
    const [seen, total] = [this.sum(spans, "seen"), this.sum(spans, "total")];
    if (seen !== n) this.#note(`${spans} have ${seen} rows of ${n}`);
    if (total !== all) this.#note(`${spans} have a sum of ${total}, not ${all}`);
  }

  #of(stream: string): Told[] {
    return [...this.#rows.get(stream)?.values() ?? []];
  }

  /** The rows of a stream by number: as many as there must be, each as it must be. */
  #each(
    stream: string, count: number, holds: (row: Told, i: number) => boolean,
  ): void {
    const rows = this.#of(stream).sort((a, b) => a.identity.epoch - b.identity.epoch ||
      a.identity.number - b.identity.number);
    if (rows.length !== count) this.#note(`${stream} has ${rows.length} rows, not ${count}`);
    const epochs = new Set(rows.map(({ identity }) => identity.epoch));
    if (epochs.size !== 1) this.#note(`${stream} began anew: epochs ${[...epochs]}`);
    const bad = rows.findIndex((row, i) => row.identity.number !== i || !holds(row, i + 1));
    if (bad >= 0) this.#note(`${stream}, row ${bad + 1}: ${JSON.stringify(rows[bad])}`);
  }

  #note(text: string): void {
    if (this.wrong.length < 20) this.wrong.push(text);
  }
}
