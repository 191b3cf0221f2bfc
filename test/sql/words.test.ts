import { expect, test } from "bun:test";
import { createRandom } from "../../src/base.ts";
import { divide64, multiply64, remainder64, words } from "../../src/sql/emit/words.ts";

const edges = [0n, 1n, -1n, 3n, 2n ** 31n, 2n ** 32n - 1n, -(2n ** 32n), 2n ** 53n, 2n ** 53n + 1n,
  3037000499n, 3037000500n, 2n ** 62n, 2n ** 63n - 1n, -(2n ** 63n), -(2n ** 63n) + 1n];

type Operation = (aLow: number, aHigh: number, bLow: number, bHigh: number) => boolean;

const low = (n: bigint): number => Number(BigInt.asIntN(32, n));
const high = (n: bigint): number => Number(n >> 32n);

/** The exact result, or null where it does not fit. */
function result(operation: Operation, a: bigint, b: bigint): bigint | null {
  if (!operation(low(a), high(a), low(b), high(b))) return null;
  return (BigInt(words[1]!) << 32n) | BigInt(words[0]! >>> 0);
}

const fitting = (n: bigint): bigint | null => (BigInt.asIntN(64, n) === n ? n : null);

test("int64 products, quotients and remainders are those of BigInt", () => {
  const random = createRandom(1);
  const bits = (): bigint => BigInt(random.below(2 ** 31)) << 32n | BigInt(random.below(2 ** 31));
  const any = (): bigint => (random.chance(0.2) ? random.pick(edges)
    : BigInt.asIntN(64, bits() << 1n) >> BigInt(random.below(64)));
  for (let i = 0; i < 100_000; i++) {
    const a = any(), b = any();
    const at = `${a} and ${b}`;
    expect([at, result(multiply64, a, b)]).toEqual([at, fitting(a * b)]);
    if (b === 0n) continue;
    expect([at, result(divide64, a, b)]).toEqual([at, fitting(a / b)]);
    expect([at, result(remainder64, a, b)]).toEqual([at, fitting(a % b)]);
  }
});
