import { NULL, type Ring, UNCERTAIN } from "../../src/ring.ts";

/**
 * The jobs of `bench sql` as a person would write them for speed: over the same rings, with plain
 * loops, constants and typed arrays. Rows [from, to) have come, at time `now`.
 */
export type ByHand = (from: number, to: number, now: number) => void;

/** Where a ring's columns lie, by name. */
function placesOf(ring: Ring) {
  const { F, U } = ring.arena;
  const of = (name: string) => ring.column(name)!;
  return { F, U, mask: ring.mask, time: ring.timeAt, value: (name: string) => of(name).payload,
    state: (name: string) => of(name).state };
}

/** Writes rows into `output` from its head on. */
function writer(output: Ring, names: readonly string[]) {
  const { F, U } = output.arena;
  const columns = names.map((name) => output.column(name)!);
  const values = columns.map((column) => column.payload);
  const states = columns.map((column) => column.state);
  const { timeAt, sourceAt, flagsAt, mask } = output;
  return { F, U, values, states, timeAt, sourceAt, flagsAt, mask };
}

export function filterByHand([input]: readonly Ring[], output: Ring): ByHand {
  const { F, U, mask, time, value, state } = placesOf(input!);
  const [k, a, b] = [value("k"), value("a"), value("b")];
  const [kState, aState, bState] = [state("k"), state("a"), state("b")];
  const out = writer(output, ["k", "a", "y"]);
  const { F: G, U: V, timeAt, sourceAt, flagsAt, mask: outMask } = out;
  const [outK, outA, outY] = out.values as [number, number, number];
  const [outKState, outAState, outYState] = out.states as [number, number, number];
  const { sourceAt: source, flagsAt: flags } = input!;
  return (from, to) => {
    output.claim(to - from);
    let seq = output.head;
    for (let i = from; i !== to; i = (i + 1) | 0) {
      const r = i & mask, w = seq & outMask;
      const x = F[a + r]!, s = U[aState + r]!, other = U[bState + r]!;
      G[timeAt + w] = F[time + r]!;
      G[sourceAt + w] = F[source + r]!;
      V[flagsAt + w] = U[flags + r]!;
      G[outK + w] = F[k + r]!;
      V[outKState + w] = U[kState + r]!;
      G[outA + w] = x;
      V[outAState + w] = s;
      G[outY + w] = x + F[b + r]!;
      V[outYState + w] = s > other ? s : other;
      seq = (seq + (Number(s < 64) & Number(x > 50))) | 0;
    }
    output.publish((seq - output.head) | 0);
  };
}

/** One open-addressed table of keys, arrays for the rest; written out when the window ends. */
export function aggregateByHand([input]: readonly Ring[], output: Ring): ByHand {
  const { F, U, mask, time, value, state } = placesOf(input!);
  const [k, a, b] = [value("k"), value("a"), value("b")];
  const [aState, bState] = [state("a"), state("b")];
  const size = 4096, length = 10_000;
  const slots = new Int32Array(size);
  const keys = new Float64Array(size), counts = new Float64Array(size);
  const sums = new Float64Array(size);
  const lows = new Float64Array(size), highs = new Float64Array(size);
  const aGood = new Float64Array(size), bGood = new Float64Array(size);
  const aWorst = new Uint8Array(size), bWorst = new Uint8Array(size);
  let groups = 0;
  let end = -1;
  const { F: G, U: V, values, states, mask: outMask } =
    writer(output, ["k", "n", "mean", "low", "high"]);
  const close = (): void => {
    output.claim(groups);
    for (let g = 0; g < groups; g++) {
      const w = (output.head + g) & outMask;
      G[values[0]! + w] = keys[g]!;
      G[values[1]! + w] = counts[g]!;
      G[values[2]! + w] = sums[g]! / aGood[g]!;
      G[values[3]! + w] = lows[g]!;
      G[values[4]! + w] = highs[g]!;
      V[states[0]! + w] = 0;
      V[states[1]! + w] = 0;
      V[states[2]! + w] = V[states[3]! + w] = aGood[g] === 0 ? NULL : aWorst[g]!;
      V[states[4]! + w] = bGood[g] === 0 ? NULL : bWorst[g]!;
    }
    output.publish(groups);
    groups = 0;
    slots.fill(0);
  };
  return (from, to, now) => {
    for (let i = from; i !== to; i = (i + 1) | 0) {
      const r = i & mask;
      const at = F[time + r]!;
      if (at >= end) {
        if (groups > 0) close();
        end = (Math.floor(at / length) + 1) * length;
      }
      const key = F[k + r]!, x = F[a + r]!, y = F[b + r]!;
      let slot = Math.imul(key, 0x9e3779b1) >>> 20;
      while (slots[slot] !== 0 && keys[slots[slot]! - 1] !== key) slot = (slot + 1) & (size - 1);
      let g = slots[slot]! - 1;
      if (g < 0) {
        g = groups++;
        slots[slot] = g + 1;
        keys[g] = key;
        counts[g] = 0;
        sums[g] = 0;
        aGood[g] = bGood[g] = 0;
        aWorst[g] = bWorst[g] = 0;
        lows[g] = Infinity;
        highs[g] = -Infinity;
      }
      counts[g] = counts[g]! + 1;
      const s = U[aState + r]!, t = U[bState + r]!;
      if (s < 64) {
        aGood[g] = aGood[g]! + 1;
        sums[g] = sums[g]! + x;
        if (x < lows[g]!) lows[g] = x;
      }
      if (t < 64) {
        bGood[g] = bGood[g]! + 1;
        if (y > highs[g]!) highs[g] = y;
      }
      const worst = s < 64 ? s : UNCERTAIN.skipped, other = t < 64 ? t : UNCERTAIN.skipped;
      if (worst > aWorst[g]!) aWorst[g] = worst;
      if (other > bWorst[g]!) bWorst[g] = other;
    }
    if (now >= end && groups > 0) close();
  };
}

/** The values of the window, kept sorted. */
export function percentileByHand([input]: readonly Ring[], output: Ring): ByHand {
  const { F, mask, time, value } = placesOf(input!);
  const a = value("a");
  const length = 200;
  const sorted = new Float64Array(1024);
  let n = 0;
  let first = 0;
  const { F: G, U: V, values: [p], states: [state], timeAt, sourceAt, mask: outMask } =
    writer(output, ["p"]);
  /** Index of the first value that is not less. */
  const placeOf = (x: number): number => {
    let low = 0, high = n;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle]! < x) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return (from, to) => {
    output.claim(to - from);
    for (let i = from; i !== to; i = (i + 1) | 0) {
      const now = F[time + (i & mask)]!;
      for (; F[time + (first & mask)]! < now - length; first++) {
        const place = placeOf(F[a + (first & mask)]!);
        sorted.copyWithin(place, place + 1, n--);
      }
      const x = F[a + (i & mask)]!;
      const place = placeOf(x);
      sorted.copyWithin(place + 1, place, n++);
      sorted[place] = x;
      const w = (output.head + ((i - from) | 0)) & outMask;
      G[p! + w] = sorted[Math.max(0, Math.ceil(0.9 * n) - 1)]!;
      V[state! + w] = 0;
      G[timeAt + w] = now;
      G[sourceAt + w] = NaN;
    }
    output.publish((to - from) | 0);
  };
}

/** A hash of the one side's rows by key, chained in their order; then the other side in order. */
export function joinByHand([one, two]: readonly Ring[], output: Ring): ByHand {
  const left = placesOf(one!), right = placesOf(two!);
  const [k, a] = [left.value("k"), left.value("a")];
  const [otherK, otherB] = [right.value("k"), right.value("b")];
  const length = 1000;
  const heads = new Int32Array(1000), tails = new Int32Array(1000), next = new Int32Array(4096);
  const { F: G, U: V, values, states, timeAt, sourceAt, flagsAt, mask: outMask } =
    writer(output, ["k", "a", "other"]);
  const { flagsAt: flags } = one!, { flagsAt: otherFlags } = two!;
  let begin = 0;
  const close = (end: number): void => {
    heads.fill(0);
    for (let i = begin; i < end; i++) {
      const key = right.F[otherK + (i & right.mask)]!;
      next[i & 4095] = 0;
      if (heads[key] === 0) heads[key] = i + 1;
      else next[(tails[key]! - 1) & 4095] = i + 1;
      tails[key] = i + 1;
    }
    let n = 0;
    output.claim(output.rows);
    for (let i = begin; i < end; i++) {
      const r = i & left.mask;
      const key = left.F[k + r]!;
      for (let at = heads[key]!; at !== 0; at = next[(at - 1) & 4095]!) {
        const w = (output.head + n++) & outMask;
        G[values[0]! + w] = key;
        G[values[1]! + w] = left.F[a + r]!;
        G[values[2]! + w] = right.F[otherB + ((at - 1) & right.mask)]!;
        for (let c = 0; c < 3; c++) V[states[c]! + w] = 0;
        G[timeAt + w] = end;
        G[sourceAt + w] = NaN;
        V[flagsAt + w] = left.U[flags + r]! | right.U[otherFlags + ((at - 1) & right.mask)]!;
      }
    }
    output.publish(n);
    begin = end;
  };
  return (_from, _to, now) => {
    while (begin + length <= now) close(begin + length);
  };
}

/** An array by key stands for the cache of a table whose rows are all known. */
export function lookupByHand([input]: readonly Ring[], output: Ring): ByHand {
  const { F, U, mask, time, value } = placesOf(input!);
  const [k, a] = [value("k"), value("a")];
  const { sourceAt: source, flagsAt: flags } = input!;
  const weights = new Map(Array.from({ length: 1000 }, (_, id) => [id, id * 1.5]));
  const { F: G, U: V, values, states, timeAt, sourceAt, flagsAt, mask: outMask } =
    writer(output, ["k", "a", "weight"]);
  return (from, to) => {
    output.claim(to - from);
    let n = 0;
    for (let i = from; i !== to; i = (i + 1) | 0) {
      const r = i & mask;
      const weight = weights.get(F[k + r]!);
      if (weight === undefined) continue;
      const w = (output.head + n++) & outMask;
      G[values[0]! + w] = F[k + r]!;
      G[values[1]! + w] = F[a + r]!;
      G[values[2]! + w] = weight;
      for (let c = 0; c < 3; c++) V[states[c]! + w] = 0;
      G[timeAt + w] = F[time + r]!;
      G[sourceAt + w] = F[source + r]!;
      V[flagsAt + w] = U[flags + r]!;
    }
    output.publish(n);
  };
}

export function lagByHand([input]: readonly Ring[], output: Ring): ByHand {
  const { F, U, mask, time, value, state } = placesOf(input!);
  const { sourceAt: source, flagsAt: flags } = input!;
  const [k, a, aState] = [value("k"), value("a"), state("a")];
  const { F: G, U: V, values, states, timeAt, sourceAt, flagsAt, mask: outMask } =
    writer(output, ["a", "before", "other"]);
  let [before, beforeState, lastKey] = [0, NULL as number, NaN];
  return (from, to) => {
    output.claim(to - from);
    for (let i = from; i !== to; i = (i + 1) | 0) {
      const r = i & mask, w = (output.head + ((i - from) | 0)) & outMask;
      const x = F[a + r]!, key = F[k + r]!;
      G[values[0]! + w] = x;
      G[values[1]! + w] = before;
      G[values[2]! + w] = key === lastKey ? 0 : 1;
      V[states[0]! + w] = U[aState + r]!;
      V[states[1]! + w] = beforeState;
      V[states[2]! + w] = 0;
      G[timeAt + w] = F[time + r]!;
      G[sourceAt + w] = F[source + r]!;
      V[flagsAt + w] = U[flags + r]!;
      before = x;
      beforeState = U[aState + r]!;
      lastKey = key;
    }
    output.publish((to - from) | 0);
  };
}
