/** A rule's command that was not carried out, or what somebody sent that is no command. */
export interface Withheld {
  readonly origin: string;
  /** Whoever sent it, and from where; both empty for a rule. */
  readonly who: string;
  readonly source: string;
  readonly tag: string;
  readonly code: string;
  readonly sentence: string;
  /** Engine time. */
  readonly time: number;
  readonly policyHash: string;
  readonly configHash: string;
}

/** Refusals of one code, folded into one row (W21). */
export interface Folded extends Omit<Withheld, "sentence" | "time"> {
  sentence: string;
  count: number;
  readonly first: number;
  last: number;
  /** Row in the store; 0 = not there yet. */
  row: number;
  /** Differs from what the store has. */
  dirty: boolean;
}

/**
 * A change of code opens a row, at most so many a minute for one tag and origin: a rule that swings
 * between two codes ten times a second then goes on counting in the rows that it has, because the
 * SD card must survive it.
 */
const fold_rows_per_minute = 10;
const minute_ms = 60_000;
/** Codes and sources from outside with rows of their own; all beyond share a row a code. */
const fold_sources_max = 256;
const other_sources = "other sources";
/** Superseded rows kept while the store cannot take them. */
const closed_max = 1024;

interface Series {
  current: Folded | null;
  byCode: Map<string, Folded>;
  /** Engine time of the window's begin, and rows opened in it. */
  from: number;
  opened: number;
}

/**
 * Folds refusals in memory; `dirty` is what the store has not seen. Bounded by tag × code for
 * rules, and by `fold_sources_max` for what comes from outside.
 */
export class Fold {
  readonly #series = new Map<string, Series>();
  #sources = 0;
  /** Rows that were superseded by a newer one before the store had their last count. */
  #closed: Folded[] = [];

  add(given: Withheld): void {
    const outside = given.source !== "";
    const refusal = outside ? this.#bounded(given) : given;
    const key = outside ? sourceKey(refusal) : `${refusal.origin} ${refusal.tag}`;
    const series = this.#of(key, refusal.time);
    const row = this.#row(series, refusal);
    row.count += 1;
    row.last = refusal.time;
    row.sentence = refusal.sentence;
    row.dirty = true;
    series.current = row;
    series.byCode.set(refusal.code, row);
  }

  /** An admitted command of a rule ends the run of its refusals. */
  interrupt(origin: string, tag: string): void {
    const series = this.#series.get(`${origin} ${tag}`);
    if (series !== undefined) series.current = null;
  }

  /**
   * Everything that the store lacks, oldest first. A row that could not be stored stays for the
   * next time.
   */
  get dirty(): readonly Folded[] {
    const rows = [...this.#closed];
    for (const { byCode } of this.#series.values()) {
      for (const row of byCode.values()) if (row.dirty) rows.push(row);
    }
    return rows.sort((a, b) => a.first - b.first);
  }

  stored(): void {
    for (const row of this.dirty) row.dirty = false;
    this.#closed = [];
  }

  /** Anybody can have any number of addresses. */
  #bounded(refusal: Withheld): Withheld {
    if (this.#series.has(sourceKey(refusal))) return refusal;
    if (this.#sources >= fold_sources_max) return { ...refusal, who: "", source: other_sources };
    this.#sources += 1;
    return refusal;
  }

  #of(key: string, time: number): Series {
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { current: null, byCode: new Map(), from: time, opened: 0 };
      this.#series.set(key, series);
    }
    if (time - series.from >= minute_ms) [series.from, series.opened] = [time, 0];
    return series;
  }

  #row(series: Series, refusal: Withheld): Folded {
    const before = series.byCode.get(refusal.code);
    const mayOpen = series.opened < fold_rows_per_minute && this.#closed.length < closed_max;
    if (before !== undefined && (series.current === before || !mayOpen)) return before;
    if (before?.dirty) this.#closed.push(before);
    series.opened += 1;
    const { time, ...rest } = refusal;
    return { ...rest, count: 0, first: time, last: time, row: 0, dirty: true };
  }
}

/** From outside there is one row a code and source, however they alternate. */
function sourceKey({ origin, source, code }: Withheld): string {
  return `${origin} ${source} ${code}`;
}
