import { Fault } from "../base.ts";
import type { Column } from "./column.ts";
import type { Ring } from "./ring.ts";

/**
 * Rows [from, from + n) of a ring, column by column, as they lie in a segment:
 *
 *     time     n × float64
 *     source   n × float64
 *     column   n × 8 bytes; or n × int32 lengths, then as many bytes     one after the other
 *     flags    n × uint8
 *     state    n × uint8, for each column
 *
 * Unlike in the ring a slot takes no more than its content. Numbers are little-endian, as on every
 * machine that this runs on.
 */
export function packRows(ring: Ring, from: number, n: number): Uint8Array {
  const slots = ring.columns.filter((column) => column.slot > 0)
    .map((column) => contentOf(ring, column, from, n));
  const bytes = n * fixedBytes(ring) + slots.reduce((sum, content) => sum + content, 0);
  const out = new Uint8Array(bytes);
  let at = 0;
  const put = (place: number, width: number): void => {
    ringPieces(ring, from, n, (row, count, done) =>
      out.set(ring.arena.U.subarray(place + row * width, place + (row + count) * width),
        at + done * width));
    at += n * width;
  };
  put(ring.timeAt * 8, 8);
  put(ring.sourceAt * 8, 8);
  for (const column of ring.columns) {
    if (column.slot === 0) {
      put(column.payload * 8, 8);
      continue;
    }
    put(column.length * 4, 4);
    for (let i = 0; i < n; i++) {
      const row = (from + i) & ring.mask;
      const place = column.payload + row * column.stride;
      const length = ring.arena.I[column.length + row]!;
      out.set(ring.arena.U.subarray(place, place + length), at);
      at += length;
    }
  }
  put(ring.flagsAt, 1);
  for (const column of ring.columns) put(column.state, 1);
  return out;
}

/**
 * Publishes rows of `packRows` of a ring of the same columns, without the first `skip`, with
 * `flags` added; gives how many. They must fit. Bytes that are no such rows throw a Fault.
 */
export function unpackRows(
  bytes: Uint8Array, rows: number, ring: Ring, flags: number, skip = 0,
): number {
  const { U, I } = ring.arena;
  const n = rows - skip;
  if (rows < skip || n > ring.rows) throw damaged(ring);
  ring.claim(n);
  let at = 0;
  const take = (place: number, width: number): void => {
    if (at + rows * width > bytes.length) throw damaged(ring);
    ringPieces(ring, ring.head, n, (row, count, done) => {
      const begin = at + (skip + done) * width;
      U.set(bytes.subarray(begin, begin + count * width), place + row * width);
    });
    at += rows * width;
  };
  take(ring.timeAt * 8, 8);
  take(ring.sourceAt * 8, 8);
  for (const column of ring.columns) {
    if (column.slot === 0) {
      take(column.payload * 8, 8);
      continue;
    }
    const lengths = new DataView(bytes.buffer, bytes.byteOffset + at);
    take(column.length * 4, 4);
    for (let i = 0; i < rows; i++) {
      const length = lengths.getInt32(4 * i, true);
      if (length < 0 || length > column.slot || at + length > bytes.length) throw damaged(ring);
      const row = (ring.head + i - skip) & ring.mask;
      if (i >= skip) U.set(bytes.subarray(at, at + length), column.payload + row * column.stride);
      if (i >= skip) I[column.length + row] = length;
      at += length;
    }
  }
  take(ring.flagsAt, 1);
  for (const column of ring.columns) take(column.state, 1);
  if (at !== bytes.length) throw damaged(ring);
  for (let i = 0; i < n; i++) U[ring.flagsAt + ((ring.head + i) & ring.mask)]! |= flags;
  ring.publish(n);
  return n;
}

/** Calls `piece` for the one or two runs of rows that lie one behind the other. */
function ringPieces(
  ring: Ring, from: number, n: number, piece: (row: number, count: number, done: number) => void,
): void {
  const row = from & ring.mask;
  const first = Math.min(n, ring.rows - row);
  if (first > 0) piece(row, first, 0);
  if (n > first) piece(0, n - first, first);
}

/** Bytes of a row but for the content of its slots. */
function fixedBytes(ring: Ring): number {
  return ring.columns.reduce((sum, { slot }) => sum + (slot === 0 ? 8 : 4) + 1,
    17);
}

function contentOf(ring: Ring, column: Column, from: number, n: number): number {
  let bytes = 0;
  for (let i = 0; i < n; i++) bytes += ring.arena.I[column.length + ((from + i) & ring.mask)]!;
  return bytes;
}

const damaged = (ring: Ring): Fault =>
  new Fault("segment-damaged", `These bytes are no rows of ${ring.name}`, { stream: ring.name });
