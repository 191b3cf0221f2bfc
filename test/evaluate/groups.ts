import type { Row } from "./value.ts";

interface Group {
  readonly key: string;
  readonly rows: readonly Row[];
  /** When its newest row came: the how-manieth of all. */
  readonly newest: number;
}

/** Rows by key, in so many groups. Of more, rows are refused or the oldest group gives way. */
export class Groups {
  readonly #most: number;
  readonly #evicts: boolean;
  #all: readonly Group[] = [];
  #came = 0;
  refused = 0;
  evicted = 0;

  constructor({ groups, evicts }: { readonly groups: number; readonly evicts: boolean }) {
    this.#most = groups;
    this.#evicts = evicts;
  }

  /** Of each group, in the order of their places. */
  get rows(): readonly (readonly Row[])[] {
    return this.#all.map(({ rows }) => rows);
  }

  /** The rows of its group with this one; null: refused. */
  put(key: string, row: Row): readonly Row[] | null {
    this.#came += 1;
    const there = this.#all.find((group) => group.key === key);
    const rows = [...there?.rows ?? [], row];
    const group = { key, rows, newest: this.#came };
    if (there !== undefined) this.#replace(there, group);
    else if (this.#all.length < this.#most) this.#all = [...this.#all, group];
    else if (!this.#evicts) {
      this.refused += 1;
      return null;
    } else {
      this.evicted += 1;
      this.#replace(this.#all.reduce((a, b) => (b.newest < a.newest ? b : a)), group);
    }
    return rows;
  }

  #replace(old: Group, group: Group): void {
    this.#all = this.#all.map((one) => (one === old ? group : one));
  }
}
