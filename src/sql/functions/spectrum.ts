/**
 * Discrete Fourier transform in place of `n` complex numbers, F[re …] and F[im …]; n is a power of
 * two. Cooley and Tukey 1965, by decimation in time.
 */
export function transform(F: Float64Array, re: number, im: number, n: number): void {
  reorder(F, re, n);
  reorder(F, im, n);
  for (let half = 1; half < n; half *= 2) {
    const turn = -Math.PI / half;
    for (let k = 0; k < half; k++) {
      // Each root by itself: a product of roots would gather errors.
      const c = Math.cos(turn * k), s = Math.sin(turn * k);
      for (let a = k; a < n; a += 2 * half) {
        const b = a + half;
        const x = F[re + b]! * c - F[im + b]! * s, y = F[re + b]! * s + F[im + b]! * c;
        F[re + b] = F[re + a]! - x;
        F[im + b] = F[im + a]! - y;
        F[re + a] = F[re + a]! + x;
        F[im + a] = F[im + a]! + y;
      }
    }
  }
}

/** Each number to where the bits of its place stand backwards. */
function reorder(F: Float64Array, at: number, n: number): void {
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; (j & bit) !== 0; bit >>= 1) j ^= bit;
    j |= bit;
    if (i >= j) continue;
    const value = F[at + i]!;
    F[at + i] = F[at + j]!;
    F[at + j] = value;
  }
}

/**
 * Amplitudes of the `n` values F[at …]: F[at + k] becomes that of the frequency rate × k / n, for k
 * below n / 2. Their mean is left out, and they fade at both ends (Hann), so that a frequency
 * between two steps does not spread over all. F[at + n …] is room for n more.
 */
export function amplitudes(F: Float64Array, at: number, n: number): void {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += F[at + i]!;
  for (let i = 0; i < n; i++) {
    // The window takes half of the amplitude.
    F[at + i] = (F[at + i]! - sum / n) * (1 - Math.cos(2 * Math.PI * i / n));
    F[at + n + i] = 0;
  }
  transform(F, at, at + n, n);
  for (let k = 0; k < n / 2; k++) {
    F[at + k] = 2 / n * Math.hypot(F[at + k]!, F[at + n + k]!);
  }
}

/** The step, of those above 0, whose amplitude is the largest; the first of equal ones. */
export function peak(F: Float64Array, at: number, n: number): number {
  let best = 1;
  for (let k = 2; k < n / 2; k++) if (F[at + k]! > F[at + best]!) best = k;
  return best;
}

/** The step nearest to a frequency. */
export const stepOf = (hz: number, rate: number, n: number): number =>
  Math.min(n / 2 - 1, Math.max(0, Math.round(hz * n / rate)));

/** Values that a spectrum is made of at least. */
export const spectrum_rows_min = 4;

/** The largest power of two that is not above n. */
export const powerBelow = (n: number): number => 2 ** Math.floor(Math.log2(n));
