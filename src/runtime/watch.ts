import type { BellPlace } from "./host.ts";

/** What the watching thread is told (W6, `threads: 1`). */
export interface WatchInit extends BellPlace {
  readonly kind: "watch";
  readonly stall_ms_max: number;
}
