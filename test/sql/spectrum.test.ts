import { expect, test } from "bun:test";
import { createRandom } from "../../src/base.ts";
import { compile } from "../../src/sql.ts";
import { amplitudes, peak, stepOf, transform } from "../../src/sql/functions/spectrum.ts";

import { Bench, catalog } from "./bench.ts";

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

test("over a window, of its last 2^k values: one row a second, a period of eight", () => {
  const after = (expr: string): string[] => {
    const bench = new Bench(expr, "GROUP BY COUNTWINDOW(40, 1)");
    return Array.from({ length: 50 }, (_, i) =>
      bench.row({ a: 7 + 3 * Math.sin(2 * Math.PI * i / 8) })).filter((row) => row !== "");
  };
  expect(after("fft_peak(a, 1)").at(-1)).toBe("0.125 good 39");
  const amplitude = (hz: number): number =>
    Number(after(`fft_magnitude(a, 1, ${hz})`).at(-1)!.split(" ")[0]);
  expect(amplitude(0.125)).toBeCloseTo(3, 9);
  expect(amplitude(0.4)).toBeLessThan(1e-9);
});

test("of fewer than four values there is none, and a bad one makes it uncertain", () => {
  const short = new Bench("fft_peak(a, 1)", "GROUP BY COUNTWINDOW(3)");
  expect([1, 2, 3].map((a) => short.row({ a })).at(-1)).toStartWith("null");
  const bad = new Bench("fft_peak(a, 1)", "GROUP BY COUNTWINDOW(5)");
  expect([1, 2, "bad" as const, 3, 1].map((a) => bad.row({ a })).at(-1))
    .toContain("uncertain:skipped");
});

test("rms is that of the values, also over panes", () => {
  const bench = new Bench("rms(a)", "GROUP BY COUNTWINDOW(3)");
  expect([3, 4, 5].map((a) => bench.row({ a })).at(-1)).toStartWith(
    String(Math.sqrt(50 / 3)).slice(0, 12));
});

test.each([
  ["fft_peak(a, 0)", "rows a second"], ["fft_peak(a, a)", "rows a second"],
  ["fft_magnitude(a, 1, -3)", "rows a second"],
])("%s is refused: %s", (expr, sentence) => {
  expect(() => compile(`SELECT ${expr} AS y FROM s GROUP BY COUNTWINDOW(9)`, catalog))
    .toThrow(sentence);
  expect(() => compile("SELECT fft_peak(a, 1) AS y FROM s GROUP BY t", catalog))
    .toThrow("needs the rows of a window");
});
