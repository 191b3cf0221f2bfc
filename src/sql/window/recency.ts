/**
 * Groups of a key table in the order of their newest rows (kernel.ts): a ring of nodes, node g + 1
 * that of group g, node 0 before the oldest and behind the newest.
 *
 *     recency  I × 2 (groups + 1)   next and previous node of each
 */

/** The group has a row now, its first. */
function append(I: Int32Array, at: number, g: number): void {
  const node = g + 1, newest = I[at + 1]!;
  I[at + 2 * node] = 0;
  I[at + 2 * node + 1] = newest;
  I[at + 2 * newest] = node;
  I[at + 1] = node;
}

function unlink(I: Int32Array, at: number, g: number): void {
  const next = I[at + 2 * g + 2]!, previous = I[at + 2 * g + 3]!;
  I[at + 2 * previous] = next;
  I[at + 2 * next + 1] = previous;
}

/** The group has one more row. */
function touch(I: Int32Array, at: number, g: number): void {
  if (I[at + 1] === g + 1) return;
  unlink(I, at, g);
  append(I, at, g);
}

/**
 * Takes the group whose newest row is the oldest out of the table, so that another key may have its
 * place; which one. What stands behind it in the table moves up, so that it is found where it is
 * looked for.
 */
function evict(
  I: Int32Array, at: number, table: number, mask: number, hashes: number,
): number {
  const g = I[at]! - 1;
  unlink(I, at, g);
  let hole = I[hashes + g]! & mask;
  while (I[table + hole] !== g + 1) hole = (hole + 1) & mask;
  for (let slot = (hole + 1) & mask; I[table + slot] !== 0; slot = (slot + 1) & mask) {
    const home = I[hashes + I[table + slot]! - 1]! & mask;
    if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
    I[table + hole] = I[table + slot]!;
    hole = slot;
  }
  I[table + hole] = 0;
  return g;
}

/** Where a key with this hash goes. */
function freeSlot(I: Int32Array, table: number, mask: number, hash: number): number {
  let slot = hash & mask;
  while (I[table + slot] !== 0) slot = (slot + 1) & mask;
  return slot;
}

export const recency = { append, touch, evict, freeSlot };
