import { amplitudes, peak, powerBelow, stepOf } from "../functions/spectrum.ts";

/**
 * Puts the amplitudes of the last 2^k of `n` values at F[scratch …], where there is room for 2 n;
 * returns 2^k. Values are F[payload + row], the rows chained from `head` by I[next + row].
 */
function spectrum(
  F: Float64Array, I: Int32Array, next: number, head: number, n: number, payload: number,
  scratch: number,
): number {
  const m = powerBelow(n);
  for (let i = 0, row = head; i < n; i++, row = I[next + row]!) {
    if (i >= n - m) F[scratch + i - (n - m)] = F[payload + row]!;
  }
  amplitudes(F, scratch, m);
  return m;
}

/** Frequency of the largest amplitude, of rows that come `rate` times a second. */
export function peakOf(
  F: Float64Array, I: Int32Array, next: number, head: number, n: number, payload: number,
  scratch: number, rate: number,
): number {
  const m = spectrum(F, I, next, head, n, payload, scratch);
  return peak(F, scratch, m) * rate / m;
}

/** Amplitude of the frequency nearest to `hz`. */
export function magnitudeOf(
  F: Float64Array, I: Int32Array, next: number, head: number, n: number, payload: number,
  scratch: number, rate: number, hz: number,
): number {
  const m = spectrum(F, I, next, head, n, payload, scratch);
  return F[scratch + stepOf(hz, rate, m)]!;
}
