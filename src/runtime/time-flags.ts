import type { Clock } from "../base.ts";
import type { Profile } from "../config.ts";
import { FLAG } from "../ring.ts";

/** Of rows that are made now: whether their time is certain. */
export const timeFlags = (clock: Clock, profile: Profile["clock"]): number =>
  (profile === "trusted" || clock.certain ? 0 : FLAG.timeUncertain);
