import { expect, test } from "bun:test";
import { createRandom } from "../../src/base.ts";
import { amplitudes, peak, stepOf, transform } from "../../src/sql/functions/spectrum.ts";

test("the fast transform is the slow one", () => {
  const r = createRandom(7);
  for (const n of [1, 2, 4, 8, 64, 512]) {
    const values = Array.from({ length: n }, () => [r.next() - 0.5, r.next() - 0.5] as const);
    const F = Float64Array.from([...values.map(([a]) => a), ...values.map(([, b]) => b)]);
    transform(F, 0, n, n);
    for (let k = 0; k < n; k++) {
      let [re, im] = [0, 0];
      values.forEach(([a, b], i) => {
        const angle = -2 * Math.PI * ((k * i) % n) / n;
        re += a * Math.cos(angle) - b * Math.sin(angle);
        im += a * Math.sin(angle) + b * Math.cos(angle);
      });
      expect(F[k]!).toBeCloseTo(re, 10);
      expect(F[n + k]!).toBeCloseTo(im, 10);
    }
  }
});

test("a tone has its amplitude at its step, whatever its phase and what it stands on", () => {
  const n = 256;
  for (const [step, phase] of [[3, 0], [17, 1], [100, 2.5]] as const) {
    const F = new Float64Array(2 * n);
    for (let i = 0; i < n; i++) F[i] = 400 + 2.5 * Math.cos(2 * Math.PI * step * i / n + phase);
    amplitudes(F, 0, n);
    expect(peak(F, 0, n)).toBe(step);
    expect(F[step]!).toBeCloseTo(2.5, 9);
    // What the mean leaves behind, and what lies far from the tone.
    expect(F[0]!).toBeLessThan(1e-9);
    expect(F[(step + 20) % 120]!).toBeLessThan(1e-9);
  }
});

test("steps of frequencies", () => {
  expect(stepOf(50, 1000, 1000)).toBe(50);
  expect([stepOf(9999, 1000, 64), stepOf(-5, 1000, 64)]).toEqual([31, 0]);
});
