/**
 * The only home of Atomics. Writer: store claim, load claim, rows, store head. Reader: load head,
 * copy, store cursor, load claim, discard and count what was lapped.
 */

/**
 * Announces that rows up to `head + n` may be overwritten. A claim never goes back: a kernel may have
 * touched rows past those it published.
 */
export function storeClaim(I: Int32Array, claimAt: number, head: number, n: number): void {
  const claim = (head + n) | 0;
  if (((claim - I[claimAt]!) | 0) > 0) Atomics.store(I, claimAt, claim);
  Atomics.load(I, claimAt);
}

export function publishHead(I: Int32Array, headAt: number, head: number): void {
  Atomics.store(I, headAt, head);
}
