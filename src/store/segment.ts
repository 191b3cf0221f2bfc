/**
 * The one durable form: a block of rows, or of operator state, packed by zstd, with
 * what it is, its numbers, its times and a checksum over all of that.
 *
 *   journal   rows of a source, not yet covered by a checkpoint; `marks` says of which messages
 *   state     a page of a rule's state; `first` is the page
 *   rows      of a ring of a rule that somebody had still to read; `first` is the first row
 *   cut       what a checkpoint is made of, as JSON; its last segment
 */
export type SegmentKind = "journal" | "state" | "rows" | "cut";

export interface SegmentHead {
  readonly kind: SegmentKind;
  /** The stream, or the rule. */
  readonly owner: string;
  readonly epoch: number;
  readonly first: number;
  /** Rows; 0 for what has none. */
  readonly rows: number;
  /** Engine times of the first and the last row. */
  readonly from: number;
  readonly to: number;
  /** Hash of what the content means: columns of rows, layout of state. */
  readonly shape: string;
  /** JSON. Of a journal `[rows up to its end, mark]` of each message; of a cut its states. */
  readonly marks: string;
}

export interface Segment extends SegmentHead {
  /** zstd */
  readonly content: Uint8Array;
  readonly checksum: number;
}

export function seal(head: SegmentHead, raw: Uint8Array): Segment {
  const content = Bun.zstdCompressSync(raw, { level: 1 });
  return { ...head, content, checksum: checksumOf(head, content) };
}

/** The content as it was sealed; null if the segment is torn or corrupt. */
export function unseal(segment: Segment): Uint8Array | null {
  if (checksumOf(segment, segment.content) !== segment.checksum) return null;
  return Bun.zstdDecompressSync(segment.content);
}

function checksumOf(head: SegmentHead, content: Uint8Array): number {
  const { kind, owner, epoch, first, rows, from, to, shape, marks } = head;
  const text = JSON.stringify([kind, owner, epoch, first, rows, from, to, shape, marks]);
  return Bun.hash.crc32(content, Bun.hash.crc32(text));
}
