import type { Written } from "../ring.ts";
import type { TagFacts } from "./path.ts";

/** What all tags share. One object, owned by the runtime, changed in place. */
export interface Box {
  /** W5 */
  safeMode: boolean;
  configRejected: boolean;
  /** W4: who disarmed, or null. */
  latched: string | null;
  /** W10: why the audit cannot be written, or null. */
  auditTrouble: string | null;
  /** W17: the kernel's clock is synchronised, or the profile trusts it. */
  clockTrusted: boolean;
  /** Day of engine time, `dayOf(time)`: a new one starts the count of writes anew. */
  day: number;
  /** W17: `deadline_ms_max`, as the profile has it. */
  deadline_ms_max: number;
}

const day_ms = 86_400_000;
export const dayOf = (time: number): number => Math.floor(time / day_ms);
/** Engine time at which the day of `time` began (UTC). */
export const dayStart = (time: number): number => dayOf(time) * day_ms;

/** The result of reading the tag for this very command (W9). */
export interface ReadResult {
  /** Engineering value, or text; meaningless if `state` is not good. */
  readonly value: Written;
  /** State byte. */
  readonly state: number;
  /** Monotonic ms at which the read began. */
  readonly at: number;
}

export interface Arming {
  /** Raised with each arming, durable: no two armings of a store share one. */
  readonly number: number;
  /** Monotonic ms. */
  readonly from: number;
  /** Monotonic ms at which no frame may leave any more. */
  readonly until: number;
  /** Monotonic ms from which only `onLoss` may still write; equals `until` without `onLoss`. */
  readonly rulesUntil: number;
  readonly by: string;
  /** `pathHash` of the proof (W2). */
  readonly hash: string;
  /** `keyOf` the one command that it is for: a proof by writing; null = whoever the policy lets. */
  readonly only: string | null;
}

/** One permit condition's cell (W12). */
export interface PermitCell {
  readonly condition: string;
  readonly value: boolean;
  readonly state: number;
  /** Monotonic ms of its oldest input. */
  readonly at: number;
  /** A person forced what it reads, or had its device left alone: the machine is not asked. */
  readonly overridden: boolean;
}

/** An outcome that is not known (W15). */
export interface Pending {
  /** What the command meant. */
  readonly means: Written;
  /** What stood there before, or null. */
  readonly before: Written | null;
  /** Monotonic ms from which a read that begins may settle it. */
  readonly since: number;
}

/** What the gate knows of one tag. `TagState` implements it; `decide` only reads it. */
export interface TagView {
  readonly facts: TagFacts;
  /** `pathHash` of the tag as it is now; null while its link has no peer. */
  readonly hash: string | null;
  /** The link is open. */
  readonly linkUp: boolean;
  readonly arming: Arming | null;
  /** Why it is not armed. */
  readonly unarmedWhy: string;
  /** `keyOf` the command between gate and outcome. */
  readonly busy: string | null;
  /** Read made for the command in hand; null = not made yet. */
  readonly read: ReadResult | null;
  /** What a poll after that read told, if it is another value (W16); null = nothing else. */
  readonly overtaken: Written | null;
  /** What our last command meant, and what the tag read when we last looked; null = none. */
  readonly lastCommand: Written | null;
  readonly lastReadBack: Written | null;
  /** Monotonic ms by which the last frame had left, −Infinity = there was none. */
  readonly lastWriteAt: number;
  /** Writes on `day`. */
  readonly writesToday: number;
  readonly day: number;
  readonly pending: Pending | null;
  /** A device that a broadcast would reach and that a person had left alone; null = none. */
  readonly leftAlone: string | null;
  /** Why automatic writing yields (W16), or null. */
  readonly yielded: string | null;
  /** Newest row of each rule that was taken, by origin (W18). */
  readonly rows: ReadonlyMap<string, { readonly epoch: number; readonly sequence: number }>;
  readonly permits: readonly PermitCell[];
}

export interface GateState {
  readonly box: Readonly<Box>;
  /** null = there is no such tag. */
  readonly tag: TagView | null;
}
