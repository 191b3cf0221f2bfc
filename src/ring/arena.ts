import { assert, Fault, nextPowerOfTwo } from "../base.ts";

/**
 * A piece of an arena: `at` and `bytes` in bytes, both powers-of-two aligned; `owner` for `check`.
 */
export interface Block {
  readonly at: number;
  readonly bytes: number;
  readonly owner: string;
}

/**
 * One SharedArrayBuffer a thread, cut by halving (buddy system, Knowlton 1965) into blocks of
 * powers of two and seen through three views: F float64, I int32, U uint8.
 *
 *     byte 0                                                            bytes
 *     | block | block    | block            | free      | free          |
 *       128     256        512                512         …
 *
 * Only the owning thread takes and gives back; others attach and are told offsets. After `seal`
 * taking is a bug, except inside the reserve that a reload opens with `unseal`.
 */
export class Arena {
  readonly buffer: SharedArrayBuffer;
  readonly F: Float64Array;
  readonly I: Int32Array;
  readonly U: Uint8Array;
  /** Free blocks by size: `#free[k]` holds offsets of free blocks of 2^k bytes. */
  readonly #free: Set<number>[] = [];
  readonly #taken = new Map<number, Block>();
  /** Bytes from here on were never taken: they are zero, and no memory of the machine yet. */
  #untouched = 0;
  #sealed = false;

  private constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.F = new Float64Array(buffer);
    this.I = new Int32Array(buffer);
    this.U = new Uint8Array(buffer);
  }

  /** Smallest block: two cache lines, so that two writers never share one. */
  static readonly block_bytes_min = 128;

  /** Bytes that a request of `bytes` occupies. */
  static sizeOf(bytes: number): number {
    return Math.max(Arena.block_bytes_min, nextPowerOfTwo(bytes));
  }

  /** `bytes` is rounded up to a power of two. */
  static create(bytes: number): Arena {
    const size = Arena.sizeOf(bytes);
    // Offsets are int32: buddies are found by xor, and workers are told them.
    assert(size <= 2 ** 30, `arena of ${size} bytes: at most 1 GiB`);
    const arena = new Arena(new SharedArrayBuffer(size));
    for (let k = 0; k <= Math.log2(size); k++) arena.#free.push(new Set());
    arena.#free[Math.log2(size)]!.add(0);
    return arena;
  }

  /** The same bytes seen from another thread, which takes nothing from it. */
  static attach(buffer: SharedArrayBuffer): Arena {
    return new Arena(buffer);
  }

  /** A zeroed block of at least `bytes`. */
  take(bytes: number, owner: string): Block {
    assert(!this.#sealed, `arena sealed: ${owner} asks for ${bytes} bytes`);
    assert(bytes > 0, `arena: ${owner} asks for nothing`);
    const size = Arena.sizeOf(bytes);
    const k = Math.log2(size);
    let from = k;
    while (from < this.#free.length && this.#free[from]!.size === 0) from++;
    if (from >= this.#free.length) {
      const values = { owner, bytes: size };
      throw new Fault("arena-full", `No room for ${size} bytes of ${owner}`, values);
    }
    const at = lowest(this.#free[from]!);
    this.#free[from]!.delete(at);
    // Halve until it fits; the upper halves stay free.
    while (from > k) this.#free[--from]!.add(at + 2 ** from);
    // To fill what is zero would make every ring cost all of its bytes before its first row.
    if (at < this.#untouched) this.U.fill(0, at, Math.min(at + size, this.#untouched));
    this.#untouched = Math.max(this.#untouched, at + size);
    const block = { at, bytes: size, owner };
    this.#taken.set(at, block);
    return block;
  }

  /** Gives a block back and joins it with its free buddies. */
  give(block: Block): void {
    assert(this.#taken.get(block.at) === block, `arena: ${block.owner} gives back what it has not`);
    this.#taken.delete(block.at);
    let at = block.at;
    let k = Math.log2(block.bytes);
    while (k < this.#free.length - 1 && this.#free[k]!.delete(at ^ (2 ** k))) {
      at = Math.min(at, at ^ (2 ** k));
      k++;
    }
    this.#free[k]!.add(at);
  }

  /** Free blocks by size: `free[k]` of 2^k bytes; plain data for `fitsInto`. */
  get free(): number[] {
    return this.#free.map((blocks) => blocks.size);
  }

  seal(): void {
    this.#sealed = true;
  }

  unseal(): void {
    this.#sealed = false;
  }

  /** What is taken now, by place. */
  blocks(): Block[] {
    return [...this.#taken.values()].sort((a, b) => a.at - b.at);
  }
}

/** Pages that were touched before are touched again, however often blocks come and go. */
function lowest(blocks: ReadonlySet<number>): number {
  let least = Infinity;
  for (const at of blocks) if (at < least) least = at;
  return least;
}

/** Whether blocks of these sizes could all be taken where `Arena.free` says what is free. */
export function fitsInto(free: readonly number[], sizes: readonly number[]): boolean {
  const left = [...free];
  return sizes.every((size) => {
    const k = Math.log2(size);
    let from = k;
    while (from < left.length && left[from] === 0) from++;
    if (from >= left.length) return false;
    left[from]! -= 1;
    while (from > k) left[--from]! += 1;
    return true;
  });
}
