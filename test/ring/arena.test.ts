import { expect, test } from "bun:test";
import { createRandom } from "../../src/base.ts";
import { Arena, type Block } from "../../src/ring.ts";

test("blocks are powers of two, aligned to their size, zeroed and apart", () => {
  const arena = Arena.create(1 << 16);
  const blocks = [1, 128, 129, 1000, 5000].map((bytes) => arena.take(bytes, `b${bytes}`));
  expect(blocks.map((b) => b.bytes)).toEqual([128, 128, 256, 1024, 8192]);
  for (const block of blocks) expect(block.at % block.bytes).toBe(0);
  const sorted = arena.blocks();
  for (let i = 1; i < sorted.length; i++) {
    expect(sorted[i]!.at).toBeGreaterThanOrEqual(sorted[i - 1]!.at + sorted[i - 1]!.bytes);
  }
  arena.U.fill(255, blocks[3]!.at, blocks[3]!.at + 1024);
  arena.give(blocks[3]!);
  const again = arena.take(1024, "again");
  expect(arena.U.subarray(again.at, again.at + 1024).every((byte) => byte === 0)).toBe(true);
});

test("what is given back joins: after any order the whole arena is one block again", () => {
  const seed = Number(process.env.SOAK_SEED ?? 7);
  console.log(`seed ${seed}`);
  const random = createRandom(seed);
  const arena = Arena.create(1 << 18);
  const held: Block[] = [];
  for (let i = 0; i < 5000; i++) {
    if (held.length > 0 && random.chance(0.5)) {
      arena.give(held.splice(random.below(held.length), 1)[0]!);
    } else {
      try {
        held.push(arena.take(1 + random.below(20_000), `o${i}`));
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: "arena-full" });
      }
    }
    const sorted = arena.blocks();
    for (let k = 1; k < sorted.length; k++) {
      expect(sorted[k]!.at).toBeGreaterThanOrEqual(sorted[k - 1]!.at + sorted[k - 1]!.bytes);
    }
  }
  for (const block of held) arena.give(block);
  expect(arena.take(1 << 18, "all").at).toBe(0);
});

test("a sealed arena gives nothing; unsealed it does", () => {
  const arena = Arena.create(1024);
  arena.seal();
  expect(() => arena.take(8, "late")).toThrow("sealed: late asks for 8 bytes");
  arena.unseal();
  expect(arena.take(8, "reload").owner).toBe("reload");
});

test("full names the owner; giving back twice is a bug", () => {
  const arena = Arena.create(1024);
  const block = arena.take(1024, "ring a");
  expect(() => arena.take(1, "ring b")).toThrow("No room for 128 bytes of ring b");
  arena.give(block);
  expect(() => arena.give(block)).toThrow("gives back what it has not");
});

test("an attached arena sees the same bytes", () => {
  const arena = Arena.create(1024);
  arena.F[3] = 1.5;
  expect(Arena.attach(arena.buffer).F[3]).toBe(1.5);
});

test("a block is zeroed whether its bytes were used before or not", () => {
  const arena = Arena.create(4096);
  const first = arena.take(256, "a");
  arena.U.fill(7, first.at, first.at + first.bytes);
  arena.give(first);
  // Half of it was used.
  const block = arena.take(512, "b");
  expect(block.at).toBe(first.at);
  expect(arena.U.subarray(block.at, block.at + block.bytes).every((byte) => byte === 0)).toBe(true);
});
