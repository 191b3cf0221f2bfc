/** Seeded pseudo-random numbers (xorshift128, Marsaglia 2003, seeded by splitmix32). */
export interface Random {
  /** [0, 1) with 32 bits. */
  next(): number;
  /** Whole number in [0, below). */
  below(below: number): number;
  /** True with the given probability. */
  chance(probability: number): boolean;
  pick<T>(from: readonly T[]): T;
}

/** A whole number, 1 to 2^52, that nobody can guess. */
export function drawSeed(): number {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return (high! >>> 12) * 2 ** 32 + low! + 1;
}

export function createRandom(seed: number): Random {
  let s = seed >>> 0;
  const mix = (): number => {
    s = (s + 0x9e3779b9) >>> 0;
    let z = s;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  let a = mix(), b = mix(), c = mix(), d = mix() | 1;
  const next = (): number => {
    let t = a ^ (a << 11);
    a = b; b = c; c = d;
    t ^= t >>> 8;
    d = (t ^ d ^ (d >>> 19)) >>> 0;
    return d / 4294967296;
  };
  const below = (n: number): number => Math.floor(next() * n);
  return {
    next,
    below,
    chance: (probability) => next() < probability,
    pick: (from) => from[below(from.length)],
  };
}
