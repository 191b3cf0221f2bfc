/** What must outlast a power cut: the audit, armings and proofs, the latch, starts (bun:sqlite). */
export {
  openStore, Store, type ArmingRow, type Pair, type Place, type Proof, type StoreOptions,
} from "./store/store.ts";
export {
  Audit, flush_ms, type Abandoned, type Attempt, type AuditRow, type Ending, type Intent,
  type RefusedAttempt,
} from "./store/audit.ts";
export { latchFile, type LatchFile } from "./store/latch.ts";
export { heldStores, lockHolder, type Lock } from "./store/lock.ts";
export type { Withheld } from "./store/fold.ts";
export { seal, unseal, type Segment } from "./store/segment.ts";
export {
  StateStore, type Covered, type SavedState, type StoredSegment,
} from "./store/state.ts";
