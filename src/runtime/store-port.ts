import type {
  Abandoned, ArmingRow, Covered, Ending, Intent, Proof, RefusedAttempt, SavedState, Segment, Store,
  Withheld,
} from "../store.ts";

/**
 * The store as the gate's role sees it. SQLite stands on the main thread; what must be durable
 * before something else happens is a promise, the rest is told and forgotten.
 */
export interface StorePort {
  /** Why nothing can be admitted, or null (W10). */
  readonly unavailable: string | null;
  intents(intents: readonly Intent[]): Promise<number[] | null>;
  outcomes(endings: readonly Ending[]): void;
  refusals(attempts: readonly RefusedAttempt[]): void;
  withheld(refusal: Withheld): void;
  nextArming(): Promise<number | null>;
  beginArming(row: ArmingRow): Promise<boolean>;
  endArming(number: number, why: string): void;
  proof(tag: string): Promise<Proof | null>;
  saveProof(proof: Proof): Promise<boolean>;
  readonly state: StatePort;
}

/** Journal and checkpoints as the role sees them whose rules they are of. */
export interface StatePort {
  /** Null while the disk does not give it. */
  saved(): Promise<SavedState | null>;
  segment(id: number): Promise<Segment | null>;
  /** True = they are durable. */
  journal(segments: readonly Segment[]): Promise<boolean>;
  put(checkpoint: number, segments: readonly Segment[]): Promise<boolean>;
  finish(checkpoint: number, cut: Segment, covered: readonly Covered[]): Promise<boolean>;
}

/** The calls of a StatePort, as names between threads. */
export const stateCalls = ["saved", "segment", "journal", "put", "finish"] as const;

/** What the gate's role is told of the past when it starts (W15). */
export interface Past {
  readonly epoch: number;
  readonly abandoned: readonly Abandoned[];
  /** Admitted writes of today, by tag. */
  readonly writes: Readonly<Record<string, number>>;
  /** Engine time of the last frame, by tag: the minimum interval outlasts a restart. */
  readonly lastSent: Readonly<Record<string, number | null>>;
}

/** Null while the disk has not given the store yet: then nothing can be admitted (W10). */
export function pastOf(store: Store, tags: readonly string[], since: number): Past | null {
  if (store.epoch === 0) return null;
  const writes = Object.fromEntries(tags.map((tag) => [tag, store.audit.writesSince(tag, since)]));
  const lastSent = Object.fromEntries(tags.map((tag) => [tag, store.audit.lastSent(tag)]));
  return { epoch: store.epoch, abandoned: store.abandoned, writes, lastSent };
}

/** The store on the same thread. */
export function localStore(store: Store): StorePort {
  return {
    get unavailable() {
      return store.audit.unavailable;
    },
    intents: async (intents) => store.audit.intents(intents),
    outcomes: (endings) => store.audit.outcomes(endings),
    refusals: (attempts) => store.audit.refusals(attempts),
    withheld: (refusal) => store.audit.withheld(refusal),
    nextArming: async () => store.nextArming(),
    beginArming: async (row) => store.beginArming(row),
    endArming: (number, why) => store.endArming(number, why),
    proof: async (tag) => store.proof(tag),
    saveProof: async (proof) => store.saveProof(proof),
    state: {
      saved: async () => store.state.saved(),
      segment: async (id) => store.state.segment(id),
      journal: async (segments) => store.state.journal(segments),
      put: async (checkpoint, segments) => store.state.put(checkpoint, segments),
      finish: async (checkpoint, cut, covered) => store.state.finish(checkpoint, cut, covered),
    },
  };
}
