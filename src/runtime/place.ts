import { Arena, OpenRow, Ring, type RingLayout } from "../ring.ts";

/** Where it is said that a row is under way, for another thread. */
export interface OpenRowPlace {
  readonly buffer: SharedArrayBuffer;
  readonly at: number;
}

/** Where another role's ring lies, for whoever bridges it. */
export interface RingPlace {
  readonly stream: string;
  readonly buffer: SharedArrayBuffer;
  readonly at: number;
  readonly layout: RingLayout;
  /** null: it is not polled. */
  readonly open: OpenRowPlace | null;
}

export const openRowPlace = ({ arena, at }: OpenRow): OpenRowPlace =>
  ({ buffer: arena.buffer, at });

export const ringPlace = ({ name, arena, at, layout, open }: Ring): RingPlace =>
  ({ stream: name, buffer: arena.buffer, at, layout,
    open: open === null ? null : openRowPlace(open) });

export const openRowAt = ({ buffer, at }: OpenRowPlace): OpenRow =>
  OpenRow.attach(Arena.attach(buffer), at);

/** The ring of another thread. */
export function ringAt({ buffer, at, layout, open }: RingPlace): Ring {
  const ring = Ring.attach(Arena.attach(buffer), at, layout);
  if (open !== null) ring.open = openRowAt(open);
  return ring;
}
