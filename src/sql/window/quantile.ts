/** Puts the k-th smallest of F[at … at + n) at its place, smaller ones before it (Hoare's FIND). */
function select(F: Float64Array, at: number, n: number, k: number): number {
  let left = at, right = at + n - 1;
  const wanted = at + k;
  while (left < right) {
    const pivot = F[wanted]!;
    let i = left, j = right;
    while (i <= j) {
      while (F[i]! < pivot) i++;
      while (pivot < F[j]!) j--;
      if (i > j) break;
      const value = F[i]!;
      F[i++] = F[j]!;
      F[j--] = value;
    }
    if (j < wanted) left = i;
    if (wanted < i) right = j;
  }
  return F[wanted]!;
}

function least(F: Float64Array, from: number, to: number): number {
  let best = F[from]!;
  for (let i = from + 1; i < to; i++) if (F[i]! < best) best = F[i]!;
  return best;
}

/** Index of the first of n values in order that is not less than this one. */
function placeIn(F: Float64Array, at: number, n: number, value: number): number {
  let low = at, high = at + n;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (F[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What generated code does with n values F[at …] in order, among which NaN is not. */
export const order = {
  /** By how many there are more. */
  insert(F: Float64Array, at: number, n: number, value: number): number {
    if (value !== value) return 0;
    const place = placeIn(F, at, n, value);
    F.copyWithin(place + 1, place, at + n);
    // Zeros of both signs are one value.
    F[place] = value + 0;
    return 1;
  },

  /** By how many there are less. */
  remove(F: Float64Array, at: number, n: number, value: number): number {
    if (value !== value) return 0;
    const place = placeIn(F, at, n, value);
    F.copyWithin(place, place + 1, at + n);
    return 1;
  },

  /** As `quantile`, of `n` values of which `m` are numbers. */
  quantile(
    F: Float64Array, at: number, m: number, n: number, fraction: number, discrete: boolean,
  ): number {
    const place = discrete ? Math.max(0, Math.ceil(fraction * n) - 1) : fraction * (n - 1);
    const k = Math.floor(place);
    const low = k < m ? F[at + k]! : NaN;
    if (place === k) return low;
    const high = k + 1 < m ? F[at + k + 1]! : NaN;
    return low + (high - low) * (place - k);
  },
};

/**
 * The value below which a fraction of `n` > 0 values lies. They are F[payload + row], the rows
 * chained from `head` by I[next + row]; `scratch` is room for n of them. NaN comes after all
 * others. `discrete`: one of the values; else between two neighbours in proportion.
 */
export function quantile(
  F: Float64Array, I: Int32Array, next: number, head: number, n: number, payload: number,
  scratch: number, fraction: number, discrete: boolean,
): number {
  let m = 0;
  for (let i = 0, row = head; i < n; i++, row = I[next + row]!) {
    const value = F[payload + row]!;
    // Zeros of both signs are one value.
    if (value === value) F[scratch + m++] = value + 0;
  }
  const place = discrete ? Math.max(0, Math.ceil(fraction * n) - 1) : fraction * (n - 1);
  const k = Math.floor(place);
  const low = k < m ? select(F, scratch, m, k) : NaN;
  if (place === k) return low;
  const high = k + 1 < m ? least(F, scratch + k + 1, scratch + m) : NaN;
  return low + (high - low) * (place - k);
}
