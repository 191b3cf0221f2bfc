import type { BoundWindow } from "../../src/sql/bound.ts";
import type { Row } from "./value.ts";

/** A window that has closed, with its content. */
export interface Window {
  readonly start: number;
  readonly end: number;
  readonly rows: readonly Row[];
  /** It may have begun before. */
  readonly unsure?: boolean;
}

type Of<K extends BoundWindow["kind"]> = BoundWindow & { readonly kind: K };

const within = (rows: readonly Row[], from: number, to: number): Row[] =>
  rows.filter((row) => row.time >= from && row.time < to);

/** [end − length, end) for each multiple of the hop up to `last`, where there are rows. */
export function hopping(
  rows: readonly Row[], { length_ms, hop_ms }: Of<"hopping">, last: number,
): Window[] {
  const found: Window[] = [];
  if (rows.length === 0) return found;
  for (let end = Math.floor(rows[0]!.time / hop_ms) * hop_ms; end <= last; end += hop_ms) {
    const content = within(rows, end - length_ms, end);
    if (content.length > 0) found.push({ start: end - length_ms, end, rows: content });
  }
  return found;
}

/** Rows of one window by panes, in time order. */
export function paned(
  rows: readonly Row[], { length_ms, hop_ms }: Of<"hopping">,
): (readonly Row[])[] {
  let pane = Math.min(length_ms, hop_ms);
  while (length_ms % pane !== 0 || hop_ms % pane !== 0) pane -= 1;
  const panes = new Map<number, Row[]>();
  for (const row of rows) {
    const index = Math.floor(row.time / pane);
    panes.set(index, [...(panes.get(index) ?? []), row]);
  }
  return [...panes.values()];
}

/**
 * One for each row that triggers; with a delay, those that have closed by `last`. By event time
 * (`whole`) rows of one time are in it wherever they stand.
 */
export function sliding(
  rows: readonly Row[], { length_ms, delay_ms }: Of<"sliding">, triggers: (row: Row) => boolean,
  last: number, whole: boolean,
): Window[] {
  return rows.flatMap((row, i) => {
    const start = row.time - length_ms, end = row.time + delay_ms;
    if (!triggers(row) || end > last) return [];
    const content = delay_ms > 0 ? within(rows, start, end)
      : whole ? rows.filter((other) => other.time >= start && other.time <= end)
      : rows.slice(0, i + 1).filter((other) => other.time >= start);
    return [{ start, end, rows: content }];
  });
}

/** Up to a pause, or to the first multiple of the greatest length when the first row is so old. */
export function sessions(
  rows: readonly Row[], { most_ms, timeout_ms }: Of<"session">, last: number,
): Window[] {
  const found: Window[] = [];
  let open: Row[] = [];
  const end = (): number => {
    const [first, newest] = [open[0]!.time, open.at(-1)!.time];
    let tick = Math.floor(first / most_ms) * most_ms;
    while (tick - first < most_ms) tick += most_ms;
    return Math.min(tick, newest + timeout_ms);
  };
  const close = (time: number): void => {
    if (open.length === 0 || end() > time) return;
    found.push({ start: open[0]!.time, end: end(), rows: open });
    open = [];
  };
  for (const row of rows) {
    close(row.time);
    open = [...open, row];
  }
  close(last);
  return found;
}

/**
 * From begin to emit, both in; without `emit` from one begin to before the next. Each key has
 * windows of its own. Where nobody knows of a row whether it begins one, the next is not sure.
 */
export function states(
  rows: readonly Row[], begin: (row: Row) => boolean, emit: ((row: Row) => boolean) | null,
  keyOf: (row: Row) => string, isSure: (row: Row) => boolean,
): Window[] {
  const found: Window[] = [];
  const all = new Map<string, Row[]>();
  let unsure = false;
  const close = (key: string, end: number): void => {
    const open = all.get(key)!;
    found.push({ start: open[0]!.time, end, rows: open, unsure });
    unsure = false;
    all.delete(key);
  };
  for (const row of rows) {
    const key = keyOf(row);
    const begins = begin(row);
    if (emit === null && begins && all.has(key)) close(key, row.time);
    if (!all.has(key) && !begins) {
      if (emit !== null) unsure = !emit(row) && (unsure || !isSure(row));
      continue;
    }
    all.set(key, [...(all.get(key) ?? []), row]);
    if (emit !== null && emit(row)) close(key, row.time);
  }
  return found;
}

/** Ends of the windows from `start` to `last` at which none of the rows stands. */
export function silences(
  rows: readonly Row[], every_ms: number, start: number, last: number,
): number[] {
  const found: number[] = [];
  for (let end = Math.ceil((start + 1) / every_ms) * every_ms; end <= last; end += every_ms) {
    if (rows.every((row) => row.time !== end)) found.push(end);
  }
  return found;
}
