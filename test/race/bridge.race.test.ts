import { expect, test } from "bun:test";
import { Arena, Bridge, Ring, tagColumn } from "../../src/ring.ts";
import type { WriterTask } from "./writer.ts";

const count = Number(process.env.SOAK_COUNT ?? 1_000_000);
const columns = [tagColumn("count", "int64"), tagColumn("label", "bytes(32)")];
/** The int32 wrap comes after 1,000 rows. */
const start = 0x7fffffff - 999;

/** True if all cells of the row are those of `seq`. */
function whole(ring: Ring, at: number, seq: number): boolean {
  const { F, I, U } = ring.arena;
  const [number, label] = [ring.columns[0]!, ring.columns[1]!];
  const row = at & ring.mask;
  const words = label.slot / 4;
  let same = F[ring.timeAt + row] === seq && F[ring.sourceAt + row] === -seq &&
    U[ring.flagsAt + row] === (seq & 255) &&
    I[(number.payload + row) * 2] === seq && I[(number.payload + row) * 2 + 1] === ~seq &&
    U[number.state + row] === ((seq >> 8) & 255) &&
    I[label.length + row] === label.slot && U[label.state + row] === ((seq >> 16) & 255);
  for (let w = 0; w < words; w++) same &&= I[label.payload / 4 + row * words + w] === (seq ^ w);
  return same;
}

/** Work that keeps the reader from going on, for a while that no compiler leaves out. */
function stall(turns: number): number {
  let sum = 0;
  for (let i = 0; i < turns; i++) sum += Math.imul(i, sum | 1);
  return sum;
}

/** Makes the reader stand still between two columns of its copy, each `every` steps or so. */
function stallWithin(local: Ring, every: number): { readonly stalls: () => number } {
  let loads = 0, stalls = 0;
  const column = local.columns[1]!;
  const payload = column.payload;
  Object.defineProperty(column, "payload", {
    get() {
      if (++loads % every === 0) {
        stalls++;
        stall(20_000);
      }
      return payload;
    },
  });
  return { stalls: () => stalls };
}

interface Race {
  readonly rows: number;
  readonly batch_max: number;
  readonly rest: number;
  readonly budget: number;
  readonly every: number;
}

async function race({ rows, batch_max, rest, budget, every }: Race): Promise<void> {
  const layout = Ring.layout("raced", columns, rows);
  const arena = Arena.create(layout.bytes);
  const remote = Ring.create(arena, layout).ring;
  arena.I[remote.headAt] = start;
  arena.I[remote.claimAt] = start;
  const local = Ring.create(Arena.create(1 << 18), Ring.layout("own", columns, 1024)).ring;
  const bridge = new Bridge(remote, local, start);
  const stalled = stallWithin(local, every);
  const worker = new Worker(new URL("./writer.ts", import.meta.url).href);
  const task: WriterTask = { buffer: arena.buffer, at: remote.at, layout, count, batch_max, rest };
  worker.postMessage(task);

  const end = (start + count) | 0;
  let taken = 0, torn = 0, misplaced = 0;
  const cursor = (): number => local.arena.I[local.cursorAt]!;
  while (cursor() !== end) {
    const lostBefore = bridge.lost;
    const before = cursor();
    const n = bridge.step(budget);
    const passed = (cursor() - before) | 0;
    if (passed !== n + bridge.lost - lostBefore) misplaced++;
    for (let i = 1; i <= n; i++) {
      if (!whole(local, (local.head - i) | 0, (cursor() - i) | 0)) torn++;
    }
    taken += n;
    if (passed === 0) await Bun.sleep(0);
  }
  worker.terminate();
  console.log(`${rows} rows, budget ${budget}: ${taken} taken, ${bridge.lost} lost, ` +
    `${stalled.stalls()} stalls`);
  expect(torn).toBe(0);
  expect(misplaced).toBe(0);
  expect(taken + bridge.lost).toBe(count);
  expect(taken).toBeGreaterThan(0);
  expect(stalled.stalls()).toBeGreaterThan(0);
}

test("a small ring, lapped all the time",
  () => race({ rows: 64, batch_max: 5, rest: 200, budget: 16, every: 200 }), 600_000);

test("large batches",
  () => race({ rows: 4096, batch_max: 64, rest: 3000, budget: 512, every: 2000 }), 600_000);

test("a ring large enough for most stalls",
  () => race({ rows: 1 << 16, batch_max: 3, rest: 150, budget: 512, every: 5000 }), 600_000);
