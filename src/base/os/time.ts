import { assert } from "../assert.ts";
import { libc } from "./libc.ts";

const CLOCK_MONOTONIC = 1;
/** struct timespec { int64 seconds; int64 nanoseconds }: both fit their low words here. */
const timespec = new Int32Array(4);

/**
 * CLOCK_MONOTONIC in ms with fraction. One clock for every thread and process of the machine, where
 * `performance.now()` starts anew in each worker (measured).
 */
export function monotonic(): number {
  const failed = libc().clock_gettime(CLOCK_MONOTONIC, timespec);
  assert(failed === 0, "clock_gettime failed");
  return (timespec[0]! >>> 0) * 1000 + timespec[2]! / 1e6;
}

const STA_UNSYNC = 0x40;
/**
 * True once something keeps the wall clock in step (adjtimex without STA_UNSYNC).
 * struct timex on 64 bit: u32 modes at 0, int64 offset 8, freq 16, maxerror 24, esterror 32,
 * int32 status at 40; 208 bytes in all. modes = 0 only reads.
 */
export function clockSynced(): boolean {
  const timex = new Int32Array(208 / 4);
  const state = libc().adjtimex(timex);
  return state >= 0 && (timex[40 / 4]! & STA_UNSYNC) === 0;
}
